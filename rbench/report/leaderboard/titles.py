"""Headings in words, the question that a table belongs to, and the order of tables."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rbench.errors import UserError, printable
from rbench.plugin.catalog import Catalog
from rbench.report.leaderboard.entries import Table
from rbench.spec import registry

MOST = 2
"""Networks that a heading names; of more it says how many there are."""


@dataclass
class Words:
    """What components are called in headings: their declared titles, else their names."""

    catalog: Catalog
    _networks: dict[str, str] = field(default_factory=dict)

    def question(self, identity: Mapping[str, Any]) -> str:
        """The heading of the group of tables to which a run's task belongs."""
        name = _name(identity.get("task"))
        try:
            declared = self.catalog.task(name).question
        except UserError:
            declared = ""
        return declared or printable(name, 60).replace("_", " ").capitalize() or "Other"

    def network(self, model: Any) -> str:
        """A network: ``ResNet-20-16``."""
        key = repr(model)
        if key not in self._networks:
            options = model.get("options") if isinstance(model, Mapping) else None
            self._networks[key] = self._network(_name(model), options)
        return self._networks[key]

    def dataset(self, dataset: object) -> str:
        """The images: ``CIFAR-10``."""
        if isinstance(dataset, Mapping) and (known := registry.known_name(dataset)):
            return known
        name = _name(dataset)
        try:
            declared = self.catalog.dataset(name).title
        except UserError:
            declared = ""
        return declared or printable(name, 60).replace("_", " ")

    def _network(self, name: str, options: object, depth: int = 0) -> str:
        try:
            found = self.catalog.architecture(name)
        except UserError:
            return printable(name, 60)
        if not found.title:
            return printable(name, 60)
        given = options if isinstance(options, Mapping) else {}
        values = {n: info.get_default() for n, info in found.options.model_fields.items()}
        values |= {**found.defaults, **given}

        def shown(match: re.Match[str]) -> str:
            value = values.get(match[1])
            # An option may name another network, which has a title of its own.
            if isinstance(value, str) and depth < 3:
                return self._network(value, None, depth + 1)
            return str(value)

        return printable(re.sub(r"\{(\w+)\}", shown, found.title), 80)


def entitle(tables: Sequence[Table], words: Words | None = None) -> None:
    """Give each table its heading in words and its question; no two headings are equal."""
    words = words or Words(Catalog.from_environment())
    headings: dict[str, list[Table]] = defaultdict(list)
    for table in tables:
        table.question = words.question(table.entries[0].first.identity)
        table.title = heading(table, words)
        headings[table.title].append(table)
    for text, shared in headings.items():
        if len(shared) > 1:
            common = set.intersection(*(set(table.name.split(" · ")) for table in shared))
            for table in shared:
                own = [part for part in table.name.split(" · ") if part not in common]
                table.title = ": ".join([text, *([", ".join(own)] if own else [])])


def heading(table: Table, words: Words) -> str:
    """``ResNet-20-16 on cifar10-jpeg, 5 epochs of 10,000 images``."""
    identity = table.entries[0].first.identity
    dataset, training = identity.get("dataset"), identity.get("training")
    models = Counter(words.network(entry.first.identity.get("model")) for entry in table.entries)
    names = sorted(models, key=lambda name: (-models[name], name))
    who = " and ".join(names) if len(names) <= MOST else f"{len(names)} networks"
    parts = [f"{who} on {words.dataset(dataset)}"]
    size = dataset.get("img_size") if isinstance(dataset, Mapping) else None
    if isinstance(size, list) and len(size) == 2:
        parts.append(f"{size[0]} px" if size[0] == size[1] else f"{size[0]} x {size[1]} px")
    epochs = training.get("epochs") if isinstance(training, Mapping) else None
    limit = identity.get("limit")
    images = f"{limit:,} images" if isinstance(limit, int) else ""
    if isinstance(epochs, int):
        trained = "1 epoch" if epochs == 1 else f"{epochs:,} epochs"
        parts.append(f"{trained} of {images}" if images else trained)
    elif images:
        parts.append(images)
    return ", ".join(parts)


def ordered(tables: Sequence[Table], paper: Collection[str] = ()) -> list[Table]:
    """The tables with the best protocol first, and those of one question together.

    Within a question: protocols of a paper (digests in ``paper``), then those that were run with
    several seeds, then by the images seen in training, the size of the images and the number of
    records; runs cut short come last. The
    questions follow each other by their first tables, those with more training first.
    """

    def merit(table: Table) -> tuple[Any, ...]:
        rows = [row for entry in table.entries for row in entry.rows]
        seen = max((row.trained_images for row in rows), default=0)
        pixels = max((row.pixels for row in rows), default=0)
        own = table.protocol not in paper
        alone = all(len({row.seed for row in entry.rows}) < 2 for entry in table.entries)
        return table.cut, own, alone, -seen, -pixels, -len(rows), table.name, table.protocol

    groups: dict[str, list[Table]] = defaultdict(list)
    for table in sorted(tables, key=merit):
        groups[table.question].append(table)

    def first(group: Sequence[Table]) -> tuple[Any, ...]:
        # Training is the question that this is about, whoever's protocol it follows.
        return min((cut, *rest) for cut, _, _, *rest in map(merit, group))

    return [table for group in sorted(groups.values(), key=first) for table in group]


def _name(component: object) -> str:
    name = component.get("name", "") if isinstance(component, Mapping) else component
    return str(name or "")
