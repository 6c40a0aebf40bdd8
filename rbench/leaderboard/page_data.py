"""A table as the JSON that the page's script reads: plain texts and numbers, no markup."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from rbench.errors import printable
from rbench.leaderboard.labels import flatten, short
from rbench.leaderboard.stats import Sample
from rbench.leaderboard.table_markdown import gap_text
from rbench.leaderboard.tables import CONTROLS, Entry, Table
from rbench.leaderboard.text import count, duration, mean_and_spread

LONGEST = 300
Json = dict[str, Any]


def table_data(table: Table, records: str, environments: dict[str, int]) -> Json:
    """Everything that the page shows of ``table``.

    ``records`` is the path from the page to the folder of records, with a slash at the end, or
    empty where the page has no records beside it. ``environments`` collects the distinct
    environments, by their text, and numbers them.
    """
    identities = [_options(entry.first.identity) for entry in table.entries]
    common = {
        key: value
        for key, value in (identities[0] if identities else {}).items()
        if all(one.get(key) == value for one in identities)
    }
    return {
        "slug": table.slug,
        "name": text(table.name or "unnamed protocol"),
        "metrics": [
            {"name": text(m.name, 60), "unit": text(m.unit, 20), "higher": m.higher_is_better}
            for m in table.metrics
        ],
        "primary": table.metrics.index(table.primary) if table.primary else -1,
        "controls": [c for c in CONTROLS if any(c in e.controls for e in table.entries)],
        "inits": any(entry.init != "default" for entry in table.entries),
        "common": list(common.items()),
        "rows": [
            _row(
                table,
                entry,
                {k: v for k, v in one.items() if k not in common},
                records,
                environments,
            )
            for entry, one in zip(table.entries, identities, strict=True)
        ],
    }


def environment_text(environment: Json) -> str:
    """An environment as lines ``name: value``."""
    flat = flatten(environment)
    return "\n".join(f"{text(key, 80)}: {text(short(flat[key]), 200)}" for key in sorted(flat))


def text(content: object, limit: int = LONGEST) -> str:
    """One printable line."""
    return printable(content, limit)


def link(records: str, path: str) -> str | None:
    """A relative address of a file beside the records; None if the path leaves its folder."""
    if not records or not path or path.startswith("/") or ".." in path.split("/"):
        return None
    if re.search(r"[\\\x00-\x1f]", path):
        return None
    return quote(records + path, safe="/._-~")


def _row(
    table: Table, entry: Entry, own: dict[str, str], records: str, environments: dict[str, int]
) -> Json:
    rows = entry.rows or entry.failed
    primary = table.primary.name if table.primary else ""
    values = entry.values.get(primary, Sample())
    seeds = sorted(values)
    number = environments.setdefault(environment_text(entry.first.environment), len(environments))
    return {
        "rank": entry.rank,
        "model": text(entry.model, 200),
        "note": entry.note,
        "init": text(entry.init, 120),
        "freeze": text(entry.freeze, 120),
        "values": [
            [s.mean, mean_and_spread(s, m.unit)] if (s := entry.summaries.get(m.name)) else None
            for m in table.metrics
        ],
        "seeds": [[seed, values[seed]] for seed in seeds],
        "versus": [_versus(table, entry, control) for control in CONTROLS],
        "n": len(entry.rows),
        "failed": len(entry.failed),
        "error": text(entry.failed[0].error or entry.failed[0].status) if entry.failed else "",
        "comparable": table.cut or entry.comparable,
        "learns": [entry.first.learnable_parameters, count(entry.first.learnable_parameters)],
        "fixed": [entry.first.frozen_parameters, count(entry.first.frozen_parameters)],
        "seconds": _mean([row.seconds for row in entry.rows]),
        "rate": _rate([r.images_per_second for r in entry.rows if r.images_per_second]),
        "commands": sorted({text(row.command, 1000) for row in rows if row.command})[:8],
        "records": [[row.seed, row.path, link(records, row.path)] for row in rows],
        "pictures": _pictures(entry, records),
        "own": list(own.items()),
        "environment": number,
    }


def _versus(table: Table, entry: Entry, control: str) -> list[Any] | None:
    if table.primary is None:
        return None
    comparison = entry.against(control, table.primary.name)
    if comparison is None:
        return None
    gap = comparison.difference
    how = f"{'paired t-test' if gap.paired else 'Welch t-test'}, n = {gap.n}"
    return [
        gap.value,
        gap_text(gap, table.primary.unit),
        gap.word(table.primary.higher_is_better),
        how if gap.p is None else f"{how}, p = {gap.p:.2g}",
    ]


def _pictures(entry: Entry, records: str) -> list[list[str]]:
    found = []
    for row in entry.rows:
        folder = PurePosixPath(row.path).parent
        for picture in row.pictures:
            if address := link(records, picture.file) and link(
                records, (folder / picture.file).as_posix()
            ):
                name = picture.caption or PurePosixPath(picture.file).name
                found.append([f"{text(name, 120)} (seed {row.seed})", address])
    return found[:24]


def _mean(values: list[float]) -> list[Any]:
    if not values:
        return [None, "–"]
    mean = sum(sorted(values)) / len(values)
    return [round(mean, 3), duration(mean) if mean < 1e9 else "–"]


def _options(identity: Json) -> dict[str, str]:
    flat = flatten(identity)
    return {
        text(key.replace(".options.", "."), 80): text(short(value), 200)
        for key, value in sorted(flat.items())
        if value is not None and not (key.endswith(".options") and value == {})
    }


def _rate(values: list[float]) -> list[Any]:
    if not values:
        return [None, "–"]
    mean = sum(sorted(values)) / len(values)
    return [round(mean, 3), f"{mean:.3g}"]
