"""The source code of components: which modules make one up, and a digest of their files.

A released package says by its version which code ran. Code that is edited in place does not, so
its digest becomes part of a run's identity: results of two versions are two configurations.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rbench.plugin.function import functions
from rbench.plugin.options import NoOptions

CACHED = "__rbench_source__"
"""Where a module keeps digests: of the files as they were when they were first asked for."""


@dataclass(frozen=True)
class Source:
    """A module that implements part of a component; it may not be imported yet."""

    name: str
    file: Path | None

    @property
    def top(self) -> str:
        """The name of its top-level package."""
        return self.name.split(".")[0]


def sources(component: object) -> list[Source]:
    """The modules of a component's functions and options, by name; none of them is imported."""
    names = set()
    options = getattr(component, "options", NoOptions)
    if options is not NoOptions:
        names.add(options.__module__)  # what an option means is part of it
    for _, given in functions(component):
        if isinstance(given, str):
            names.add(given.partition(":")[0])
        else:
            names |= {function.__module__ for function in _unwrapped(given)}
    return [source for name in sorted(names) if (source := _find(name)) is not None]


def _unwrapped(function: Any) -> Iterator[Any]:
    """``function`` out of ``functools.partial`` and decorators, if it is written in Python."""
    while hasattr(function, "func"):
        function = function.func
    if inspect.isfunction(function):
        yield inspect.unwrap(function)


def _find(name: str) -> Source | None:
    module = sys.modules.get(name)
    if module is not None:
        file = getattr(module, "__file__", None)
    else:
        try:
            spec = find_spec(name)  # imports the packages above it, and not the module
        except (ImportError, ValueError):
            return None
        file = spec.origin if spec is not None and spec.has_location else None
    return Source(name, Path(file) if file is not None else None)


def source_digest(component: object) -> str | None:
    """SHA-256 of the source files that define a component; None if they have none.

    Of a package that is edited in place, all its Python files count.
    """
    digests = {_digest(source) for source in sources(component)}
    known = sorted(digest for digest in digests if digest is not None)
    return hashlib.sha256("\n".join(known).encode()).hexdigest() if known else None


def unreleased_source(component: object) -> str | None:
    """The digest of a component whose code is not of an installed package; None for others.

    rbench's own components count as released: their ``revision`` is raised
    whenever their numbers change.
    """
    if all(_released(source) for source in sources(component)):
        return None
    return source_digest(component)


def packages_of(component: object) -> set[str]:
    """The top packages of a component's code, without rbench's own."""
    return {source.top for source in sources(component)} - _own_packages()


def is_installed(module: str) -> bool:
    """Whether a module is of Python itself, of rbench or of a package in ``site-packages``."""
    top = module.partition(".")[0]
    if top == "__main__" or top in sys.stdlib_module_names:
        return top != "__main__"
    found = (_find(name) for name in (top, module))
    return any(_released(source) for source in found if source is not None)


def _released(source: Source) -> bool:
    if source.top in _own_packages():
        return True
    if source.name.startswith("rbench_loose_"):
        # A file that --plugin names: its digest is in the identity already.
        return True
    parts = () if source.file is None else source.file.parts
    return bool({"site-packages", "dist-packages"} & set(parts))


@cache
def _own_packages() -> frozenset[str]:
    """The packages of rbench's own distribution that register components."""
    own = [
        p for p in entry_points(group="rbench") if p.dist is not None and p.dist.name == "rbench"
    ]
    return frozenset({"rbench", *(point.value.split(".")[0] for point in own)})


def _digest(source: Source) -> str | None:
    """Kept on the package, or on a module that is in none and is imported."""
    keeper = sys.modules.get(source.top)
    kept = {} if keeper is None else keeper.__dict__.setdefault(CACHED, {})
    if source.name not in kept:
        kept[source.name] = _digest_of_files(_files(source))
    digest = kept[source.name]
    assert digest is None or isinstance(digest, str)
    return digest


def _files(source: Source) -> list[Path]:
    if source.file is None:
        return []
    folder = getattr(sys.modules.get(source.top), "__file__", None)
    if _released(source) or folder is None or Path(folder).name != "__init__.py":
        return [source.file]
    return sorted(Path(folder).parent.rglob("*.py"))


def _digest_of_files(files: list[Path]) -> str | None:
    found = hashlib.sha256()
    try:
        for path in files:
            found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    except OSError:
        return None
    return found.hexdigest() if files else None
