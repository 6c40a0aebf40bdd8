"""Find a component by kind and name; if there is none, name the plugins that failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from rbench.errors import UnknownName
from rbench.plugin.components import (
    FAMILIES,
    KINDS,
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
from rbench.plugin.loading import Plugin, Plugins, load

C = TypeVar("C", Initializer, FreezingRule, Dataset, Task, Metric)


class Catalog:
    """All components of an environment, by kind and name."""

    def __init__(self, plugins: Plugins, loose: Mapping[str, str] | None = None) -> None:
        self.plugins = plugins
        self.loose = dict(loose or {})
        """Digests of the source of what no package brings, by file or function."""
        self.with_loose: dict[tuple[tuple[str, str], ...], Catalog] = {}
        """This catalog extended by files, by their paths and digests; many runs name the same."""
        self._by_name: dict[tuple[str, str], Component] = {}
        self._plugin_of: dict[tuple[str, str], str] = {}
        for entry in plugins.registered:
            key = (entry.component.kind, entry.component.name)
            self._by_name[key], self._plugin_of[key] = entry.component, entry.plugin

    @classmethod
    def from_environment(cls) -> Catalog:
        """The catalog of all installed plugins."""
        return cls(load())

    @property
    def failed(self) -> list[Plugin]:
        """Plugins that could not be loaded."""
        return self.plugins.failed

    def components(self, kind: str) -> Iterator[Component]:
        """The registered components of a kind, families not expanded, by name."""
        if kind not in KINDS:
            raise UnknownName("kind", kind, KINDS)
        for (found, _), component in sorted(self._by_name.items(), key=lambda item: item[0]):
            if found == kind:
                yield component

    def names(self, kind: str) -> list[str]:
        """Every name of a kind, families expanded."""
        names: set[str] = set()
        for component in self.components(kind):
            names |= set(component.names()) if isinstance(component, FAMILIES) else {component.name}
        return sorted(names)

    def architecture(self, name: str) -> Architecture:
        """The architecture of that name: a registered one, else a family's member."""
        found = self._by_name.get(("architecture", name))
        if isinstance(found, Architecture):
            return found
        for component in self.components("architecture"):
            if isinstance(component, ArchitectureFamily) and (member := component.member(name)):
                return member
        raise self._unknown("architecture", name)

    def initializer(self, name: str) -> Initializer:
        """The initializer of that name."""
        return self._get(Initializer, name)

    def freezing_rule(self, name: str) -> FreezingRule:
        """The freezing rule of that name, or of that earlier name."""
        return self.find_freezing_rule(name) or self._get(FreezingRule, name)

    def find_freezing_rule(self, name: str) -> FreezingRule | None:
        """The freezing rule of that name or earlier name; None: it is a name pattern, if any."""
        for component in self.components("freezing rule"):
            assert isinstance(component, FreezingRule)
            if name == component.name or name in component.formerly:
                return component
        return None

    def dataset(self, name: str) -> Dataset:
        """The dataset of that name: a registered one, else a family's member."""
        if ("dataset", name) not in self._by_name:
            for component in self.components("dataset"):
                if isinstance(component, DatasetFamily) and (member := component.member(name)):
                    return member
        return self._get(Dataset, name)

    def task(self, name: str) -> Task:
        """The task of that name."""
        return self._get(Task, name)

    def metric(self, name: str) -> Metric:
        """The metric of that name."""
        return self._get(Metric, name)

    def plugin_of(self, kind: str, name: str) -> str:
        """The plugin that registered a component; for a family's member, the family's."""
        if (kind, name) in self._plugin_of:
            return self._plugin_of[kind, name]
        for component in self.components(kind):
            if isinstance(component, FAMILIES) and component.member(name):
                return self._plugin_of[kind, component.name]
        raise self._unknown(kind, name)

    def _get(self, kind: type[C], name: str) -> C:
        component = self._by_name.get((kind.kind, name))
        if isinstance(component, kind):
            return component
        raise self._unknown(kind.kind, name)

    def _unknown(self, kind: str, name: str) -> UnknownName:
        note = ""
        if self.failed:
            failed = ", ".join(f"{plugin.name} ({plugin.error})" for plugin in self.failed)
            note = f" (plugins that failed to load: {failed}; see rbench plugins)"
        what = "model" if kind == "architecture" else kind
        return UnknownName(what, name, self.names(kind), note)
