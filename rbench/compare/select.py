"""Table entries by the conditions of a declaration."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from rbench.compare.declaration import Condition, Where
from rbench.leaderboard.frame import options
from rbench.leaderboard.labels import label, policy
from rbench.leaderboard.tables import Entry, Table

_COMPARE: list[tuple[str, Callable[[Any, Any], bool]]] = [
    (">=", operator.ge),
    ("<=", operator.le),
    (">", operator.gt),
    ("<", operator.lt),
]


@dataclass(eq=False)
class Measured:
    """An entry of a leaderboard with its columns."""

    entry: Entry
    protocol: str
    protocol_name: str

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


def fits(value: Any, wanted: Condition) -> bool:
    """Whether a column's value is what a condition wants."""
    if isinstance(wanted, list):
        return any(fits(value, one) for one in wanted)
    if value is None:
        return wanted == "none"
    if isinstance(wanted, str):
        for sign, compare in _COMPARE:
            if wanted.startswith(sign) and isinstance(value, int | float):
                return compare(value, float(wanted.removeprefix(sign)))
        return fnmatchcase(str(value), wanted)
    return bool(value == wanted)


def _words(wanted: Condition) -> str:
    return " or ".join(map(str, wanted)) if isinstance(wanted, list) else str(wanted)
