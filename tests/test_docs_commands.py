"""Every command line in the documentation is executed, with small data in place of the reader's.

Those of the tutorial and of the guide to outputs run to the end. Elsewhere `rbench run` opens the
data, builds, draws and freezes the network (`--dry-run`), and does not train.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Done, Rbench

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(page: Path) -> list[str]:
    """The lines of a page's ``sh`` blocks that call rbench, comments left out."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("rbench ")]


def _images(folder: Path, count: int, size: int) -> None:
    folder.mkdir(parents=True)
    noise = np.random.default_rng(len(folder.name))
    for index in range(count):
        pixels = noise.integers(0, 255, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:03}.png")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with what the documentation calls ~/photos, ~/my-images, ~/pictures, ~/data."""
    home = tmp_path_factory.mktemp("home")
    _images(home / "photos", 4, 96)
    for split, count in (("train", 12), ("test", 4)):
        for name in ("cat", "dog"):
            _images(home / "my-images" / split / name, count, 32)
    _images(home / "pictures" / "content", 1, 96)
    _images(home / "pictures" / "style", 1, 96)
    (home / "data").mkdir()
    return home


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if commands(page) and "reference" not in page.parts],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_command_lines(
    page: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rbench: Rbench
) -> None:
    suites = re.findall(r"```toml\n(summary = .*?)```", page.read_text(encoding="utf-8"), re.S)
    for suite in suites:
        (tmp_path / "my_suite.toml").write_text(suite, encoding="utf-8")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("RBENCH_CACHE", str(home / "cache"))
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join(map(str, (ROOT, ROOT / "plugins", ROOT / "registry")))
    )
    whole = page.parent.name == "tutorial" or page.name == "outputs.md"
    # What runs to the end does so as a reader's command would; the others need no process each.
    call = functools.partial(_call, tmp_path) if whole else rbench
    for line in commands(page):
        line = line.replace("~/", f"{home}/")
        records = sorted((tmp_path / "results").glob("*.json"))
        if re.search(r"\bresults\b", line) and not records:
            first = "run --model test_resnet --img-size 32 --epochs 1 --save-weights"
            _succeed(_call(tmp_path, *shlex.split(first)))
            records = sorted((tmp_path / "results").glob("*.json"))
        if records:
            line = line.replace("results/RECORD.json", str(records[0]))
        line = line.replace("leaderboards/records", str(ROOT / "leaderboards" / "records"))
        line = line.replace("--output leaderboards", f"--output {ROOT / 'leaderboards'}")
        words = shlex.split(line)[1:]
        if words[0] == "run" and not whole and "--dry-run" not in words:
            words.append("--dry-run")
        _succeed(call(*words), words)


def _call(folder: Path, *words: str) -> Done:
    command = [sys.executable, "-m", "rbench", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def _succeed(done: Done, words: Sequence[str] = ()) -> None:
    assert done.returncode == 0, f"rbench {shlex.join(words)}\n{done.stderr[-2000:]}"
