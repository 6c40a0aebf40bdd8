"""Table entries by the conditions of a declaration."""

from __future__ import annotations

import fnmatch
import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from rbench.report.compare.declaration import Condition, Where
from rbench.report.leaderboard.entries import Entry, Table
from rbench.report.leaderboard.frame import options
from rbench.report.leaderboard.labels import label, policy

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


NAMED = ("model", "init", "task", "dataset", "freeze")
"""Columns that every entry has; their values are texts."""


@dataclass(eq=False)
class Measured:
    """An entry of a leaderboard with its columns."""

    entry: Entry
    protocol: str
    protocol_name: str

    @property
    def model(self) -> str:
        """The network's name."""
        return self.named("model")

    def named(self, column: str) -> str:
        """The value of one of the columns :data:`NAMED`."""
        identity = self.entry.first.identity
        given = identity.get(column)
        return policy(given) if column == "freeze" else label(given)

    @cached_property
    def columns(self) -> dict[str, Any]:
        """``model``, ``freeze``, ``model.expansion`` and so on."""
        found: dict[str, Any] = {column: self.named(column) for column in NAMED}
        for key, value in options(self.entry.first.identity).items():
            found.setdefault(key, value)
        return found

    def values(self, metric: str) -> dict[int, float]:
        """Values by seed."""
        return self.entry.values.get(metric, {})

    def get(self, column: str) -> Any:
        """The value of a column, under the names of a spec too."""
        return self.columns.get(column.replace("_kwargs.", "."))

    def matches(self, where: Where) -> bool:
        """Whether every condition holds."""
        return all(fits(self.get(column), wanted) for column, wanted in where.items())

    def departures(self, where: Where) -> list[str]:
        """The conditions that do not hold, in words."""
        return [
            f"{column} {self.get(column)} instead of {_words(wanted)}"
            for column, wanted in where.items()
            if not fits(self.get(column), wanted)
        ]


def measured(tables: Iterable[Table]) -> list[Measured]:
    """Every entry that has a finished record."""
    return [
        Measured(entry, table.protocol, table.name)
        for table in tables
        for entry in table.entries
        if entry.rows
    ]


class Pool:
    """Entries by the values of their columns, so that most need not be looked at one by one.

    A condition is tried on a column's distinct values, which are few.
    """

    def __init__(self, members: Iterable[Measured]) -> None:
        together: dict[str, list[Measured]] = defaultdict(list)
        for one in members:
            together[one.model].append(one)
        self._members = [one for group in together.values() for one in group]
        self._places: dict[str, dict[str, list[int]]] = {}
        self._fits: dict[tuple[str, str], frozenset[int]] = {}

    def matching(self, *anyone: Where) -> list[Measured]:
        """The entries for which all of one of the conditions holds."""
        places = {place for where in anyone for place in self._fitting(where)}
        return [self._members[place] for place in sorted(places)]

    def _fitting(self, where: Where) -> Iterable[int]:
        # The named columns first: often nobody is left for the others.
        left: frozenset[int] | None = None
        for column in where:
            if column in NAMED:
                fit = self._with(column, where[column])
                left = fit if left is None else left & fit
                if not left:
                    return ()
        rest = {column: wanted for column, wanted in where.items() if column not in NAMED}
        able = range(len(self._members)) if left is None else left
        return [place for place in able if self._members[place].matches(rest)] if rest else able

    def _with(self, column: str, wanted: Condition) -> frozenset[int]:
        key = column, repr(wanted)
        if key not in self._fits:
            test, places = accepts(wanted), self._by_value(column)
            found = (place for value in places if test(value) for place in places[value])
            self._fits[key] = frozenset(found)
        return self._fits[key]

    def _by_value(self, column: str) -> dict[str, list[int]]:
        if column not in self._places:
            found: dict[str, list[int]] = defaultdict(list)
            texts: dict[int, str] = {}
            for place, one in enumerate(self._members):
                # Identities share what is equal: most parts need not be put in words again.
                key = id(one.entry.first.identity.get(column))
                if key not in texts:
                    texts[key] = one.named(column)
                found[texts[key]].append(place)
            self._places[column] = found
        return self._places[column]


def fits(value: Any, wanted: Condition) -> bool:
    """Whether a column's value is what a condition wants."""
    return accepts(wanted)(value)


def accepts(wanted: Condition) -> Callable[[Any], bool]:
    """The test of a condition."""
    parts = tuple(wanted) if isinstance(wanted, list) else (wanted,)
    return _test(tuple((type(part), part) for part in parts))


@lru_cache(maxsize=4096)
def _test(parts: tuple[tuple[type, Any], ...]) -> Callable[[Any], bool]:
    """One test for a list of alternatives; the types keep 1 and True apart in the cache."""
    plain: set[Any] = set()
    patterns: list[re.Pattern[str]] = []
    bounds: list[tuple[Callable[[Any, Any], bool], float]] = []
    for kind, part in parts:
        sign = next((s for s in _COMPARE if kind is str and part.startswith(s)), None)
        if sign is not None:
            bounds.append((_COMPARE[sign], float(part.removeprefix(sign))))
        elif kind is str and re.search(r"[*?\[]", part):
            patterns.append(re.compile(fnmatch.translate(part)))
        else:
            plain.add(part)

    def test(value: Any) -> bool:
        if value is None:
            return "none" in plain
        if isinstance(value, int | float):
            return value in plain or str(value) in plain or any(c(value, b) for c, b in bounds)
        text = str(value)
        return text in plain or any(pattern.match(text) for pattern in patterns)

    return test


def _words(wanted: Condition) -> str:
    return " or ".join(map(str, wanted)) if isinstance(wanted, list) else str(wanted)
