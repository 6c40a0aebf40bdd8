"""Load plugins: every entry point of the group ``rbench``, each on its own.

pluggy's own loader stops at the first plugin that fails to import, passes over a second one of
the same name and over misspelt hooks without a word; here each of these is a named failure that
does not affect the others.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, Protocol

import pluggy

from rbench.errors import printable, suggest
from rbench.plugin import hookspecs
from rbench.plugin.components import (
    Architecture,
    ArchitectureFamily,
    Component,
    Dataset,
    DatasetFamily,
    FreezingRule,
    Initializer,
    Metric,
    Task,
)
from rbench.plugin.function import check_form, functions
from rbench.plugin.options import Options

GROUP = "rbench"
HOOKS: Mapping[str, tuple[type[object], ...]] = {
    "rbench_register_architectures": (Architecture, ArchitectureFamily),
    "rbench_register_initializers": (Initializer,),
    "rbench_register_freezing_rules": (FreezingRule,),
    "rbench_register_datasets": (Dataset, DatasetFamily),
    "rbench_register_tasks": (Task,),
    "rbench_register_metrics": (Metric,),
}


@dataclass(frozen=True)
class Registered:
    """A component and the plugin that brought it."""

    component: Component
    plugin: str


@dataclass
class Plugin:
    """One entry point: where it comes from and what became of it."""

    name: str
    value: str
    distribution: str = ""
    version: str = ""
    status: Literal["loaded", "failed", "disabled"] = "loaded"
    error: str = ""
    traceback: str = ""
    components: list[str] = field(default_factory=list)


@dataclass
class Plugins:
    """All plugins of this environment and the components of those that loaded."""

    plugins: list[Plugin]
    registered: list[Registered]

    @property
    def failed(self) -> list[Plugin]:
        """Those that could not be used."""
        return [plugin for plugin in self.plugins if plugin.status == "failed"]


def load(found: Iterable[EntryPoint] | None = None) -> Plugins:
    """Load every plugin that ``RBENCH_PLUGINS`` allows and ``RBENCH_DISABLE_PLUGINS`` does not.

    Both hold comma-separated entry-point names; built-in components are the plugin ``builtin``.
    """
    manager = pluggy.PluginManager("rbench")
    manager.add_hookspecs(hookspecs)
    points = sorted(
        entry_points(group=GROUP) if found is None else found,
        key=lambda point: (point.name != "builtin", point.name, point.value),
    )
    plugins: list[Plugin] = []
    registered: list[Registered] = []
    taken: dict[tuple[str, str], str] = {}
    for point in points:
        plugin = _describe(point)
        plugins.append(plugin)
        if not _allowed(point.name):
            plugin.status = "disabled"
            continue
        if manager.has_plugin(point.name):
            _fail(plugin, f"another plugin is already called '{printable(point.name)}'")
            continue
        try:
            # What a plugin prints when it is imported must not stand in front of --json.
            with redirect_stdout(sys.stderr):
                new = list(registered_by(manager, point))
            refuse_stolen_names(new, taken)
        except Exception as error:
            manager.unregister(name=point.name)
            _fail(plugin, f"{type(error).__name__}: {error}", traceback.format_exc())
            continue
        for component in new:
            taken[component.kind, component.name] = point.name
            registered.append(Registered(component, point.name))
        plugin.components = [f"{component.kind} {component.name}" for component in new]
    return Plugins(plugins, registered)


class Loadable(Protocol):
    """An entry point, or a file that stands for one."""

    @property
    def name(self) -> str:
        """The plugin's name."""

    def load(self) -> Any:
        """Its module."""


def registered_by(manager: pluggy.PluginManager, point: Loadable) -> Iterator[Component]:
    """The components that the plugin behind ``point`` registers; whatever it raises is raised."""
    module = point.load()
    known = [attribute for attribute in dir(module) if attribute.startswith("rbench_register_")]
    for name in known:
        if name not in HOOKS:
            raise TypeError(f"there is no hook {name}{suggest(name, HOOKS)}")
    manager.register(module, name=point.name)
    manager.check_pending()
    implemented = 0
    for hook, types in HOOKS.items():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            if implementation.plugin_name != point.name:
                continue
            implemented += 1
            returned = implementation.function()
            if not isinstance(returned, Iterable) or isinstance(returned, str | bytes):
                raise TypeError(f"{hook} returned {type(returned).__name__}, not components")
            for component in returned:
                yield _checked(component, hook, types)
    if not implemented:
        raise TypeError("it implements no rbench hook (is @rbench.hookimpl missing?)")


def _checked(component: object, hook: str, types: tuple[type[object], ...]) -> Component:
    if not isinstance(component, types):
        wanted = " or ".join(kind.__name__ for kind in types)
        raise TypeError(f"{hook} returned {type(component).__name__}, not {wanted}")
    assert isinstance(component, Component)
    name = component.name
    if not (name and name.isprintable() and name == name.strip()):
        raise ValueError(f"{hook} returned a component with the name {name!r}")
    options = getattr(component, "options", Options)
    if not (isinstance(options, type) and issubclass(options, Options)):
        raise TypeError(f"the options of '{name}' are not a subclass of rbench.Options")
    for field_name, given in functions(component):
        if isinstance(given, str):
            check_form(given, f"{component.kind} {name}: {field_name}")
    return component


def refuse_stolen_names(new: list[Component], taken: dict[tuple[str, str], str]) -> None:
    """ValueError where a new component has the name of another of its kind."""
    seen: set[tuple[str, str]] = set()
    for component in new:
        key = (component.kind, component.name)
        if key in taken:
            raise ValueError(
                f"the {component.kind} '{component.name}' is already registered by the plugin "
                f"'{taken[key]}'"
            )
        if key in seen:
            raise ValueError(f"it registers the {component.kind} '{component.name}' twice")
        seen.add(key)


def _describe(point: EntryPoint) -> Plugin:
    distribution = point.dist
    return Plugin(
        name=point.name,
        value=point.value,
        distribution=distribution.name if distribution else "",
        version=distribution.version if distribution else "",
    )


def _fail(plugin: Plugin, error: str, trace: str = "") -> None:
    plugin.status, plugin.error, plugin.traceback = "failed", printable(error), trace


def _allowed(name: str) -> bool:
    only = _names("RBENCH_PLUGINS")
    return (not only or name in only or name == "builtin") and name not in _names(
        "RBENCH_DISABLE_PLUGINS"
    )


def _names(variable: str) -> set[str]:
    return {name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()}
