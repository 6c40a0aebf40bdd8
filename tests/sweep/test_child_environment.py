"""What child processes import: the same as their parent, and nothing from the working directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rbench.records.record import read
from rbench.sweep.environment import applied, child_environment
from tests.helpers import faulty_plugin

SUITE = """
summary = "One."
[base]
model = "test_resnet"
dataset = "digits"
device = "cpu"
metrics = ["top1"]
task_kwargs.train = false
"""


@pytest.fixture
def cluttered(tmp_path: Path) -> Path:
    """A working directory with a stray module of the standard library's name and a folder timm."""
    folder = tmp_path / "work"
    (folder / "timm").mkdir(parents=True)
    (folder / "timm" / "__init__.py").write_text("raise RuntimeError('the wrong timm')\n")
    (folder / "queue.py").write_text("raise RuntimeError('the wrong queue')\n")
    (folder / "suite.toml").write_text(SUITE)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("command", [["-m", "rbench"], ["-P", "-m", "rbench"]])
def test_modules_of_the_working_directory_are_not_imported(
    cluttered: Path, command: list[str]
) -> None:
    words = ["sweep", "suite.toml", "--slots", "1"]
    done = subprocess.run(
        [sys.executable, *command, *words],
        cwd=cluttered,
        env=faulty_plugin.environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (path,) = (cluttered / "results").glob("*.json")
    modules = read(path).environment["modules"]
    assert isinstance(modules, dict)
    assert modules["timm"] == "site-packages/timm/__init__.py"
    assert modules["torch"] == "site-packages/torch/__init__.py"


@pytest.mark.slow
def test_a_pilot_imports_nothing_from_the_working_directory_either(cluttered: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rbench", "plan", "suite.toml"],
        cwd=cluttered,
        env=faulty_plugin.environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert " pilot " in done.stdout, done.stdout


def test_what_the_parent_can_import_its_children_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rbench_only_here.py").write_text("WHERE = 'here'\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "queue.py").write_text("raise RuntimeError('the wrong queue')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    code = "import rbench_only_here, queue, sys; print(rbench_only_here.WHERE, '' in sys.path)"
    for command in ([sys.executable, "-c", code],):
        said = subprocess.run(
            command, cwd=elsewhere, env=child_environment(1), capture_output=True, text=True
        )
        assert said.stdout == "here False\n", said.stderr


def test_a_worker_belongs_to_no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    environment = child_environment(3, "1")
    assert not {"WORLD_SIZE", "RANK"} & set(environment)
    assert environment["OMP_NUM_THREADS"] == "3"
    assert environment["CUDA_VISIBLE_DEVICES"] == "1"
    with applied(environment):
        assert dict(os.environ) == environment
    assert os.environ["WORLD_SIZE"] == "2"
