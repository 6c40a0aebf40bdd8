"""Table entries by the conditions of a declaration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rbench.report.leaderboard.entries import Entry, Table
from rbench.report.leaderboard.stats import Sample
from rbench.spec import registry
from rbench.spec.columns import NAMED, canonical_name, columns, named
from rbench.spec.conditions import Condition, Where, describe, holds, matches, predicate


@dataclass(eq=False)
class Measured:
    """An entry of a leaderboard with its columns."""

    entry: Entry
    protocol: str
    protocol_name: str

    @cached_property
    def columns(self) -> dict[str, Any]:
        """``model``, ``freeze``, ``model.expansion`` and so on."""
        return columns(self.entry.first.identity)

    def values(self, metric: str) -> Sample:
        """Values by seed."""
        return self.entry.values.get(metric) or Sample()

    def gaps(self, other: Measured, metric: str) -> Sample:
        """By seed, the difference to another configuration; of the seeds that both have."""
        own, theirs = self.values(metric), other.values(metric)
        return Sample({seed: own[seed] - theirs[seed] for seed in sorted(own.keys() & theirs)})

    def get(self, column: str) -> Any:
        """The value of a column, under the names of a spec too."""
        return self.columns.get(canonical_name(column))

    def matches(self, where: Where) -> bool:
        """Whether every condition holds."""
        return holds(where, self.columns.get)

    def departures(self, where: Where) -> list[str]:
        """The conditions that do not hold, in words."""
        return [
            self._departure(column, wanted)
            for column, wanted in where.items()
            if not matches(self.get(column), wanted)
        ]

    def _departure(self, column: str, wanted: Condition) -> str:
        value, why = self.get(column), ""
        dataset = self.entry.first.identity.get("dataset") or {}
        if column == "dataset" and (known := registry.known_name(dataset)):
            # "image_folder" says nothing of the images.
            value, why = known, registry.unlike(known, describe(wanted))
        text = f"{column} {value} instead of {describe(wanted)}"
        return f"{text} ({why})" if why else text


def measured(tables: Iterable[Table]) -> list[Measured]:
    """Every entry that has a finished record."""
    return [
        Measured(entry, table.protocol, table.name)
        for table in tables
        for entry in table.entries
        if entry.rows
    ]


class Pool:
    """Entries by the values of the columns that all have.

    A condition on one of those is tried once on its distinct values, so that most of many entries
    need not be looked at for each of a hundred declarations.
    """

    def __init__(self, members: Iterable[Measured]) -> None:
        self._members = list(members)
        self._places: dict[str, dict[str, list[int]]] = {}
        self._fit: dict[tuple[str, str], set[int]] = {}
        for column in NAMED:
            found: dict[str, list[int]] = defaultdict(list)
            for place, one in enumerate(self._members):
                found[named(one.entry.first.identity, column)].append(place)
            self._places[column] = found

    def matching_any(self, *alternatives: Where) -> list[Measured]:
        """The entries for which all conditions of one of the alternatives hold."""
        places = {place for where in alternatives for place in self._matching(where)}
        return [self._members[place] for place in sorted(places)]

    def _matching(self, where: Where) -> Iterable[int]:
        # The named columns first: often no run is left for the others.
        left: set[int] | None = None
        for column in NAMED:
            if column in where:
                fit = self._with(column, where[column])
                left = fit if left is None else left & fit
        rest = {column: wanted for column, wanted in where.items() if column not in NAMED}
        able = range(len(self._members)) if left is None else sorted(left)
        return [place for place in able if self._members[place].matches(rest)] if rest else able

    def _with(self, column: str, wanted: Condition) -> set[int]:
        key = column, repr(wanted)
        if key not in self._fit:
            test, places = predicate(wanted), self._places[column]
            self._fit[key] = {place for value in places if test(value) for place in places[value]}
        return self._fit[key]
