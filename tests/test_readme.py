"""What the README says comes from commands; this holds the part that is cheap to make again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Rbench

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_opens_with_exactly_two_commands() -> None:
    (block, *_) = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    main, tests = block.splitlines()
    assert main.endswith("rbench run --model resnet50 --freeze-spatial")
    assert "pytest" in tests


def test_how_far_the_papers_are_reproduced_is_what_compare_says(rbench: Rbench) -> None:
    records = ROOT / "leaderboards" / "records"
    if not records.is_dir():
        pytest.skip("this copy of the sources has no leaderboards")
    said = rbench("compare", "--records", str(records), "--summary")
    assert said.returncode == 0, said.stderr
    found = re.search(r"<!-- compare -->\n(.*?)<!-- /compare -->", README, re.DOTALL)
    assert found is not None
    assert found[1].strip() == said.stdout.strip(), "make it again; the README says how"
