"""Short names for configurations: what the user wrote, plus what is needed to tell two apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from rbench.errors import printable
from rbench.spec.columns import LONGEST, flatten

if TYPE_CHECKING:
    from rbench.report.leaderboard.entries import Entry


def label(component: Any, given: Any = None) -> str:
    """``name option=value ...`` of a component's identity and the options that were given."""
    name = component.get("name", "") if isinstance(component, dict) else component or ""
    if not given:
        return printable(name, LONGEST)
    options = given if isinstance(given, dict) else {}
    parts = [str(name)] + [f"{key}={short(options[key])}" for key in sorted(options, key=str)]
    return printable(" ".join(parts), LONGEST)


def short(value: Any) -> str:
    """An option's value in few characters."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return "/".join(short(part) for part in value)
    if isinstance(value, dict):
        return printable(label(value, value.get("options")), 60)
    return printable(value, 60)


def tell_apart(entries: list[Entry]) -> None:
    """Give entries that would look the same a note of what differs between them."""
    groups: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.model, entry.init, entry.freeze].append(entry)
    for group in groups.values():
        if len(group) < 2:
            continue
        flat = [flatten(entry.first.identity) for entry in group]
        keys = sorted({key for one in flat for key in one})
        counts = {key: Counter(repr(one.get(key)) for one in flat) for key in keys}
        differing = [key for key in keys if len(counts[key]) > 1]
        for entry, one in zip(group, flat, strict=True):
            # What is rarest comes first: a long note is cut.
            order = sorted(
                differing, key=lambda k: (counts[k][repr(one.get(k))], -len(counts[k]), k)
            )
            parts = [f"{_shorter(key)}={short(one.get(key))}" for key in order]
            entry.note = printable(", ".join(parts), LONGEST)


def _shorter(key: str) -> str:
    return key.replace(".options.", ".")
