"""Shared by all tests: one thread each (CI runs two at a time) and small, quick runs."""

from __future__ import annotations

import atexit
import functools
import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests neither read nor fill the user's cache folder.
os.environ["RBENCH_CACHE"] = tempfile.mkdtemp(prefix="rbench-cache-")
atexit.register(shutil.rmtree, os.environ["RBENCH_CACHE"], ignore_errors=True)


@dataclass(frozen=True)
class Done:
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


# A distribution of its own: tests/plugin/test_testing.py and CI run its tests where installed.
collect_ignore = ["example_plugin"]

Rbench = Callable[..., Done]


@pytest.fixture(autouse=True)
def _empty_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every test runs in a folder of its own: ``rbench.run`` finds and leaves results there."""
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))


@pytest.fixture(scope="module")
def installed_once() -> Iterator[None]:
    """For tests that read many records: the installed plugins are looked for once a module.

    Each look reads the metadata of all packages; with hundreds of them it takes longer than a
    small leaderboard.
    """
    from rbench.plugin.catalog import Catalog

    with pytest.MonkeyPatch.context() as patch:
        found = Catalog.from_environment()
        patch.setattr(Catalog, "from_environment", lambda: found)
        yield


@pytest.fixture(scope="session")
def build_once() -> Callable[..., Any]:
    """What makes the parser of all commands, which is most of what a quick command costs."""
    import typer.main

    return functools.cache(typer.main.get_command)


@pytest.fixture
def rbench(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    build_once: Callable[..., Any],
) -> Rbench:
    """The real command line with its exit code, in this process and in an empty folder."""
    monkeypatch.setattr("typer.main.get_command", build_once)

    def run(*words: str) -> Done:
        from rbench.cli import main

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["rbench", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        return Done(code if isinstance(code, int) else 0, said.out, said.err)

    return run


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The faulty plugin of the helpers, installed for this test and what it starts."""
    from tests.helpers import faulty_plugin

    folder = faulty_plugin.install(tmp_path / "plugin")
    monkeypatch.syspath_prepend(str(folder))
    for name, value in faulty_plugin.environment(folder).items():
        monkeypatch.setenv(name, value)
    return folder


def pytest_collection_finish() -> None:
    """What the imports made stays; no later garbage collection has to look through it.

    With torch and timm these are half a million objects, and every run on a CPU collects.
    """
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """At the end they are collected as ever; triton would list what is left as leaks."""
    gc.unfreeze()
