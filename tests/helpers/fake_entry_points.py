"""Entry points made on the spot, for tests about plugins."""

from __future__ import annotations

import itertools
import sys
import types
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

COUNT = itertools.count()


def entry_point(
    monkeypatch: pytest.MonkeyPatch, name: str, source: str = "", **attributes: Any
) -> EntryPoint:
    """The entry point ``name`` of a new module that runs ``source`` and has ``attributes``."""
    module = types.ModuleType(f"plugin_for_test_{next(COUNT)}")
    vars(module).update(attributes)
    exec(compile(source, module.__name__, "exec"), vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return EntryPoint(name, module.__name__, "rbench")


def install(folder: Path, name: str, entry_points: dict[str, str], **modules: str) -> None:
    """Lay out a distribution in ``folder`` as pip would; put the folder on PYTHONPATH."""
    information = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{point} = {value}" for point, value in entry_points.items()]
    (information / "entry_points.txt").write_text("\n".join(["[rbench]", *lines, ""]))
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(source)
