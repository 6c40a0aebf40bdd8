"""Components without a package: a file of hooks, or modules and functions of a Python session.

They take part in runs as any plugin's do. A digest of their code is part of a run's identity,
since no version of a package stands for them, and their records cannot be submitted.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import inspect
import itertools
import secrets
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from rbench.errors import UserError, printable
from rbench.plugin import hookspecs
from rbench.plugin.catalog import Catalog
from rbench.plugin.components import Architecture, Component, FreezingRule, Initializer, Metric
from rbench.plugin.loading import Plugin, Plugins, Registered, refuse_stolen_names, registered_by
from rbench.plugin.object_digest import object_digest
from rbench.records.record import MetricValue


@dataclass(frozen=True)
class _File:
    """What :func:`registered_by` asks of an entry point."""

    name: str
    path: Path
    sha256: str

    def load(self) -> ModuleType:
        """Execute the file as a module of its own."""
        name = f"rbench_loose_{self.sha256[:12]}"
        spec = importlib.util.spec_from_file_location(name, self.path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module


def with_files(catalog: Catalog, paths: Sequence[str]) -> Catalog:
    """``catalog`` and the components of these files; UserError in one line for a broken one."""
    if not paths:
        return catalog
    of_name: dict[str, str] = {}
    for path in paths:
        if of_name.setdefault(Path(path).name, path) != path:
            raise UserError(
                f"--plugin {of_name[Path(path).name]} {path}: two files of one name, by which "
                "records name them; rename one"
            )
    key = tuple((path, _sha256(Path(path))) for path in dict.fromkeys(paths))
    if key not in catalog.with_loose:
        whole = catalog
        for path, sha256 in key:
            whole = _with_file(whole, Path(path), sha256)
        catalog.with_loose[key] = whole
    return catalog.with_loose[key]


def _sha256(path: Path) -> str:
    if path.suffix != ".py":
        raise UserError(f"--plugin {path}: a plugin file is Python source (.py)")
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"cannot read the plugin file {path}: {error.strerror}") from error


def _with_file(catalog: Catalog, path: Path, sha256: str) -> Catalog:
    manager = pluggy.PluginManager("rbench")
    manager.add_hookspecs(hookspecs)
    try:
        components = list(registered_by(manager, _File(path.name, path, sha256)))
    except Exception as error:
        raise UserError(_complaint(path, error)) from error
    return extended(catalog, components, path.name, {path.name: sha256})


def extended(
    catalog: Catalog, components: Sequence[Component], plugin: str, digests: dict[str, str]
) -> Catalog:
    """``catalog`` with more ``components``, which ``digests`` tell apart. UserError on a clash."""
    old = catalog.plugins
    taken = {(r.component.kind, r.component.name): r.plugin for r in old.registered}
    try:
        refuse_stolen_names(list(components), taken)
    except ValueError as error:
        raise UserError(f"{plugin}: {error}") from error
    described = Plugin(
        name=plugin, value=plugin, components=[f"{c.kind} {c.name}" for c in components]
    )
    new = Plugins(
        [*old.plugins, described], [*old.registered, *(Registered(c, plugin) for c in components)]
    )
    return Catalog(new, {**catalog.loose, **digests})


def _complaint(path: Path, error: Exception) -> str:
    """What went wrong and in which line of the file."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path]
    where = f"{path.name}, line {lines[-1]}" if lines else path.name
    if isinstance(error, SyntaxError) and error.lineno:
        where = f"{path.name}, line {error.lineno}"
    return f"the plugin file {where}: {type(error).__name__}: {printable(error)}"


@dataclass(frozen=True)
class Session:
    """What a run names of a Python session: ``catalog`` has it, ``fields`` name it."""

    catalog: Catalog
    fields: dict[str, Any]
    notes: tuple[str, ...] = ()
    """What a user should know of it."""


def from_session(catalog: Catalog, fields: dict[str, Any]) -> Session:
    """Take modules and functions in a run's ``fields`` for components; name them there instead.

    ``model`` may be a network or a function or class that makes one, ``init`` a function
    ``draw(weight, generator)`` with up to two more arguments, ``freeze`` one
    ``select(network)``, ``metrics`` may contain ``measure(outcome)``, which returns a number or
    MetricValues. Of several that have one ``__name__``, such as what a factory returns, the second
    is called ``python:NAME-2``.
    """
    made: list[Component] = []
    digests: dict[str, str] = {}
    known: dict[int, str] = {}
    notes: list[str] = []
    fields = dict(fields)

    def digest_of(value: Any) -> str:
        if id(value) not in known:
            found = object_digest(value, _name(value))
            known[id(value)] = found.sha256
            if found.unread:
                # What may differ from the last call must not have its record.
                known[id(value)] = secrets.token_hex(32)
                parts = ", ".join(printable(part, 80) for part in found.unread[:3])
                notes.append(
                    f"no later call finds this record: whether {parts} is the same as now cannot "
                    "be told"
                )
        return known[id(value)]

    def take(kind: str, value: Any, make: Callable[[str, Any], Component]) -> Any:
        if isinstance(value, str) or not (callable(value) or hasattr(value, "state_dict")):
            return value
        first, digest = f"python:{_name(value)}", digest_of(value)
        names = itertools.chain([first], (f"{first}-{n}" for n in itertools.count(2)))
        # Functions of one name may be different ones.
        name = next(n for n in names if digests.get(f"{kind} {n}", digest) == digest)
        if f"{kind} {name}" not in digests:
            made.append(make(name, value))
            digests[f"{kind} {name}"] = digest
        return name

    fields["model"] = take("model", fields["model"], _architecture)
    for key in ("init", "init_norm"):
        if key in fields:
            fields[key] = take("initializer", fields[key], _initializer)
    for key, kind, make in (
        ("freeze", "freezing rule", _rule),
        ("metrics", "metric", _metric),
    ):
        if key in fields and not isinstance(fields[key], str | None):
            given = fields[key]
            several = given if isinstance(given, Iterable) and not callable(given) else [given]
            fields[key] = tuple(take(kind, value, make) for value in several)
    if made:
        catalog = extended(catalog, made, "this Python session", digests)
    return Session(catalog, fields, tuple(notes))


def _name(value: Any) -> str:
    name = getattr(value, "__name__", type(value).__name__)
    return "lambda" if name == "<lambda>" else str(name)


def _architecture(name: str, value: Any) -> Architecture:
    made = hasattr(value, "state_dict") and not inspect.isclass(value)
    return Architecture(
        name=name,
        summary="A network of this Python session.",
        build=lambda context, options: copy.deepcopy(value) if made else value(),
    )


def _initializer(name: str, value: Any) -> Initializer:
    count = _arguments(value)

    def draw(*given: Any) -> object:
        return value(*given[:count])

    return Initializer(
        name=name, summary="A function of this Python session.", draw=value if count > 3 else draw
    )


def _rule(name: str, value: Any) -> FreezingRule:
    count = _arguments(value)
    return FreezingRule(
        name=name,
        summary="A function of this Python session.",
        select=lambda *given: value(*given[:count]),
    )


def _metric(name: str, value: Any) -> Metric:
    count = _arguments(value)

    def measure(*given: Any) -> Iterable[MetricValue]:
        result = value(*given[:count])
        if isinstance(result, Iterable) and not hasattr(result, "item"):
            return result
        return [MetricValue(name=name.removeprefix("python:"), value=float(result))]

    return Metric(name=name, summary="A function of this Python session.", measure=measure)


def _arguments(function: Callable[..., Any]) -> int:
    """How many positional arguments ``function`` takes; as many as there are for ``*args``."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 3
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 3
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
