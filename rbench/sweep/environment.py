"""The environment of child processes: their threads, their GPU, and what they can import.

A child must import the same modules as its parent. Python puts the working directory of a process
that is started with ``-m`` or ``-c`` on its path, where a stray ``queue.py`` or a folder ``timm``
would replace the installed module; the ``rbench`` command itself does not look there. So children
start with PYTHONSAFEPATH, and with what the parent has on its path beyond its installation.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

LAUNCHER = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables of torchrun and others: a worker's run is never one process of several."""


def child_environment(threads: int, gpu: str | None = None) -> dict[str, str]:
    """Environment variables of a child process that computes with ``threads`` threads."""
    environment = {k: v for k, v in os.environ.items() if k not in LAUNCHER}
    environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    environment |= safe_path()
    return environment if gpu is None else environment | {"CUDA_VISIBLE_DEVICES": gpu}


def safe_path() -> dict[str, str]:
    """Variables that let a child import what this process can, and nothing from its own folder."""
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(_added_paths())}


@contextmanager
def applied(environment: Mapping[str, str]) -> Iterator[None]:
    """Inside, this process has ``environment``, so that processes that it starts inherit it."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _added_paths() -> list[str]:
    """The entries of ``sys.path`` that a new interpreter would not have by itself."""
    installed = {*site.getsitepackages(), site.getusersitepackages()}
    installed |= {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    return [entry for entry in sys.path if entry and not _is_within(entry, installed)]


def _is_within(entry: str, folders: set[str]) -> bool:
    path = Path(entry)
    if path.suffix == ".zip" and path.parent in {Path(folder).parent for folder in folders}:
        return True  # the standard library, zipped
    return any(path == Path(folder) or path.parent == Path(folder) for folder in folders)
