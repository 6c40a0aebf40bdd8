"""The README opens with two commands that set themselves up, and stays short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Rbench

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_opens_with_exactly_two_commands() -> None:
    (block, *_) = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert block.splitlines() == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "rbench run --model resnet50 --freeze-spatial" in makefile
    assert "pytest -n auto" in makefile


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 120


def test_how_far_the_papers_are_reproduced_is_what_compare_says(rbench: Rbench) -> None:
    records = ROOT / "leaderboards" / "records"
    page = ROOT / "docs" / "results" / "reproduced.md"
    if not records.is_dir():
        pytest.skip("this copy of the sources has no leaderboards")
    said = rbench("compare", str(records), "--summary")
    assert said.returncode == 0, said.stderr
    text = page.read_text(encoding="utf-8")
    found = re.search(r"<!-- compare -->\n(.*?)<!-- /compare -->", text, re.DOTALL)
    assert found is not None
    assert found[1].strip() == said.stdout.strip(), f"make it again: {page.name} says how"
