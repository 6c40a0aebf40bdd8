"""What tells apart configurations that would look the same in a table."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from rbench.errors import printable
from rbench.records.titles import LONGEST, short
from rbench.spec.columns import flatten

if TYPE_CHECKING:
    from rbench.report.leaderboard.entries import Entry


def tell_apart(entries: list[Entry]) -> None:
    """Give entries that would look the same a note of what differs between them."""
    groups: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.model, entry.init, entry.freeze].append(entry)
    for group in groups.values():
        if len(group) > 1:
            for entry, what in zip(group, differences(group), strict=True):
                entry.note = what


def differences(group: list[Entry]) -> list[str]:
    """For each entry the values of what differs between them: ``task.pruned=True, seed=1``."""
    flat = [flatten(entry.first.identity) | _code(entry) for entry in group]
    keys = sorted({key for one in flat for key in one})
    counts = {key: Counter(repr(one.get(key)) for one in flat) for key in keys}
    differing = [key for key in keys if len(counts[key]) > 1]
    if any(key.endswith(".source") for key in differing):
        differing = [key for key in differing if not key.startswith("code of")]
    found = []
    for one in flat:
        # What is rarest comes first: a long text is cut.
        order = sorted(differing, key=lambda k: (counts[k][repr(one.get(k))], -len(counts[k]), k))
        parts = [f"{_shorter(key)}={_value(key, one.get(key))}" for key in order]
        found.append(printable(", ".join(parts), LONGEST))
    return found


def _code(entry: Entry) -> dict[str, str]:
    """``{"code of metric mine": "0123456789"}``: differs where code was edited in a release."""
    return {f"code of {name}": source[:10] for name, (source, _) in entry.first.code.items()}


def _value(key: str, value: object) -> str:
    return str(value)[:10] if key.endswith(".source") else short(value)


def _shorter(key: str) -> str:
    return key.replace(".options.", ".")
