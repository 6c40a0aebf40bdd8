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

from rbench.compare.declaration import Condition, Where
from rbench.leaderboard.frame import options
from rbench.leaderboard.labels import label, policy
from rbench.leaderboard.tables import Entry, Table

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(eq=False)
class Measured:
    """An entry of a leaderboard with its columns."""

    entry: Entry
    protocol: str
    protocol_name: str

    @cached_property
    def model(self) -> str:
        """The network's name."""
        return label(self.entry.first.identity.get("model"))

    @cached_property
    def columns(self) -> dict[str, Any]:
        """``model``, ``freeze``, ``model.expansion`` and so on."""
        identity = self.entry.first.identity
        found = {name: label(identity.get(name)) for name in ("model", "init", "task", "dataset")}
        found["freeze"] = policy(identity.get("freeze"))
        for key, value in options(identity).items():
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
    """Entries by the name of their network, so that most need not be looked at."""

    def __init__(self, members: Iterable[Measured]) -> None:
        self._by_model: dict[str, list[Measured]] = defaultdict(list)
        self._names: dict[str, list[str]] = {}
        for one in members:
            self._by_model[one.model].append(one)

    def matching(self, *anyone: Where) -> list[Measured]:
        """The entries whose network fits any of the conditions; the others do not match."""
        names = {name for where in anyone for name in self._fitting(where.get("model", "*"))}
        return [one for name in self._by_model if name in names for one in self._by_model[name]]

    def _fitting(self, wanted: Condition) -> list[str]:
        key = repr(wanted)
        if key not in self._names:
            self._names[key] = [name for name in self._by_model if fits(name, wanted)]
        return self._names[key]


def fits(value: Any, wanted: Condition) -> bool:
    """Whether a column's value is what a condition wants."""
    parts = tuple(wanted) if isinstance(wanted, list) else (wanted,)
    return _test(tuple((type(part), part) for part in parts))(value)


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
