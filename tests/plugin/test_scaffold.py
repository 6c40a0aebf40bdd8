"""What ``rbench new-plugin`` writes: a package that passes its own test at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import Rbench
from tests.helpers.fake_entry_points import install


@pytest.mark.slow
def test_the_generated_package_passes_its_test_and_runs(rbench: Rbench, tmp_path: Path) -> None:
    done = rbench("new-plugin", "my-filters")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "rbench-my-filters"
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["name"] == "rbench-my-filters"
    points = project["project"]["entry-points"]["rbench"]
    assert points == {"my-filters": "rbench_my_filters"}
    assert "PREFIX" not in (folder / "README.md").read_text()
    install(tmp_path / "site", "rbench-my-filters", points)
    shutil.copytree(folder / "rbench_my_filters", tmp_path / "site" / "rbench_my_filters")
    assert "import torch\n" in (folder / "rbench_my_filters" / "functions.py").read_text()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    test = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", folder, folder]
    ran = subprocess.run(test, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout


@pytest.mark.parametrize("name", ["", "My", "a b", "../a", "1a", "a--b", "builtin", "x" * 70])
def test_names_that_are_none(name: str, rbench: Rbench) -> None:
    done = rbench("new-plugin", name)
    assert done.returncode == 2
    assert "is not a valid plugin name" in done.stderr


def test_nothing_is_overwritten(rbench: Rbench, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.py").write_text("precious")
    done = rbench("new-plugin", "a", "--output", "there")
    assert done.returncode == 2
    assert done.stderr == "rbench: there exists and is not an empty folder\n"
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["mine.py"]
    assert "is taken by rbench itself" in rbench("new-plugin", "plugins").stderr
