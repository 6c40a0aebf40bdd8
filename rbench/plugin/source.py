"""The source code of components: which functions make one up, and a digest of their files.

A released package says by its version which code ran. Code that is edited in place does not, so
its digest becomes part of a run's identity: results of two versions are two configurations.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

FUNCTIONS = ("build", "draw", "open", "run", "measure", "select", "fit", "identity", "trains")
"""Fields of components that hold their functions."""
CACHED = "__rbench_source__"
"""Where a module keeps its digest: of the files as they were when it was first asked for."""


def functions_of(component: object) -> Iterator[Callable[..., Any]]:
    """The functions of a component, out of ``functools.partial`` where they are in one."""
    for name in FUNCTIONS:
        function: Any = getattr(component, name, None)
        while hasattr(function, "func"):
            function = function.func
        if inspect.isfunction(function):
            yield inspect.unwrap(function)


def source_digest(component: object) -> str | None:
    """SHA-256 of the source files that define a component's functions; None if they have none.

    Of a package that is edited in place, all its Python files count.
    """
    digests = {_digest(module) for module in _modules(component)}
    known = sorted(digest for digest in digests if digest is not None)
    return hashlib.sha256("\n".join(known).encode()).hexdigest() if known else None


def unreleased_source(component: object) -> str | None:
    """The digest of a component whose code is not of an installed package; None for others.

    The components that rbench brings itself count as released: their ``revision`` is raised
    whenever their numbers change.
    """
    if all(_released(module) for module in _modules(component)):
        return None
    return source_digest(component)


def _modules(component: object) -> list[ModuleType]:
    names = {function.__module__ for function in functions_of(component)}
    return [sys.modules[name] for name in sorted(names) if name in sys.modules]


def _released(module: ModuleType) -> bool:
    if module.__name__.split(".")[0] in _own_packages():
        return True
    if module.__name__.startswith("rbench_loose_"):
        # A file that --plugin names: its digest is in the identity already.
        return True
    file = getattr(module, "__file__", None)
    return file is not None and bool({"site-packages", "dist-packages"} & set(Path(file).parts))


@cache
def _own_packages() -> frozenset[str]:
    """The packages of rbench's own distribution that register components."""
    own = [
        p for p in entry_points(group="rbench") if p.dist is not None and p.dist.name == "rbench"
    ]
    return frozenset({"rbench", *(point.value.split(".")[0] for point in own)})


def _digest(module: ModuleType) -> str | None:
    if CACHED not in module.__dict__:
        module.__dict__[CACHED] = _digest_of_files(_files(module))
    digest = module.__dict__[CACHED]
    assert digest is None or isinstance(digest, str)
    return digest


def _files(module: ModuleType) -> list[Path]:
    file = getattr(module, "__file__", None)
    if file is None:
        return []
    top = sys.modules.get(module.__name__.split(".")[0], module)
    folder = getattr(top, "__file__", None)
    if _released(module) or folder is None or Path(folder).name != "__init__.py":
        return [Path(file)]
    return sorted(Path(folder).parent.rglob("*.py"))


def _digest_of_files(files: list[Path]) -> str | None:
    found = hashlib.sha256()
    try:
        for path in files:
            found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    except OSError:
        return None
    return found.hexdigest() if files else None
