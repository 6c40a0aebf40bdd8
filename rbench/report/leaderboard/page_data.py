"""A table as the JSON that the page's script reads: plain texts and numbers, no markup."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import msgspec

from rbench.errors import printable
from rbench.records.titles import short
from rbench.report.leaderboard.controls import CONTROLS
from rbench.report.leaderboard.entries import SELECTED, Entry, Table
from rbench.report.leaderboard.stats import NOISE, SHOWS, Sample
from rbench.report.leaderboard.table_markdown import gap_text
from rbench.report.leaderboard.text import count, duration, mean_and_spread, number, quantity
from rbench.spec.columns import flatten

LONGEST = 300
MOST_PICTURES = 24
"""Pictures of an entry that the page names."""
_PRIMITIVE = (str, int, float, bool)
_SAFE = "/._-~"
_PLAIN = re.compile(r"[A-Za-z0-9/._~-]*")
Json = dict[str, Any]
Pieces = dict[tuple[str, bytes], list[tuple[str, str, str]]]
"""What the parts of identities look like, by their place and their JSON."""


class Environments:
    """The distinct environments of tables, numbered in the order of their entries."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self.texts: dict[str, int] = {}
        self._numbers: dict[bytes, int] = {}
        for table in tables:
            for entry in table.entries:
                self.number(entry)

    def number(self, entry: Entry) -> int:
        """The place of an entry's environment."""
        environment = entry.first.environment
        key = msgspec.json.encode(environment)
        if key not in self._numbers:
            shown = environment_text(environment)
            self._numbers[key] = self.texts.setdefault(shown, len(self.texts))
        return self._numbers[key]


def table_data(table: Table, records: str, environments: Environments) -> Json:
    """Everything that the page shows of ``table``.

    ``records`` is the path from the page to the folder of records, with a slash at the end, or
    empty where the page has no records beside it.
    """
    known: Pieces = {}
    identities = [_options(entry.first.identity, known) for entry in table.entries]
    common = {
        key: value
        for key, value in (identities[0] if identities else {}).items()
        if all(one.get(key) == value for one in identities)
    }
    return {
        "slug": table.slug,
        "name": text(table.name or "unnamed protocol"),
        "metrics": [
            {
                "name": text(m.name, 60),
                "unit": text(m.unit, 20),
                "higher": m.higher_is_better,
                "same": _same(table, m.name),
            }
            for m in table.metrics
        ],
        "pairs": math.comb(sum(bool(entry.rows) for entry in table.entries), 2),
        "primary": table.metrics.index(table.primary) if table.primary else -1,
        "controls": [c for c in CONTROLS if any(c in e.controls for e in table.entries)],
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
    if not records or not path or path[0] == "/" or (".." in path and ".." in path.split("/")):
        return None
    if _PLAIN.fullmatch(path):
        return _address(records) + path
    if re.search(r"[\\\x00-\x1f]", path):
        return None
    return quote(records + path, safe=_SAFE)


@lru_cache(maxsize=16)
def _address(records: str) -> str:
    return quote(records, safe=_SAFE)


def _row(
    table: Table, entry: Entry, own: dict[str, str], records: str, environments: Environments
) -> Json:
    rows = entry.rows or entry.failed
    samples = [entry.values.get(metric.name, Sample()) for metric in table.metrics]
    seeds = sorted({seed for sample in samples for seed in sample})
    return {
        "rank": entry.rank,
        "ranks": entry.rank_interval,
        "marked": SELECTED if entry.selected_on_test else "",
        "model": text(entry.model, 200),
        "note": entry.note,
        "init": text(entry.init, 120),
        "freeze": text(entry.frozen, 120),
        "values": [
            [s.mean, mean_and_spread(s, m.unit)] if (s := entry.summaries.get(m.name)) else None
            for m in table.metrics
        ],
        "seeds": seeds,
        "runs": [_values(sample, seeds) for sample in samples],
        "networks": {
            place: [sample.within_run.n, _rounded(sample.within_run.std or 0.0)]
            for place, sample in enumerate(samples)
            if sample.within_run and len(sample) == 1
        },
        "versus": [_versus(table, entry, control) for control in CONTROLS],
        "n": entry.seeds,
        "failed": len(entry.failed),
        "error": text(entry.failed[0].error or entry.failed[0].status) if entry.failed else "",
        "comparable": table.cut or entry.comparable,
        "learns": [entry.learned, entry.what_learned],
        "fixed": [entry.fixed, count(entry.fixed)],
        "seconds": _mean([row.seconds for row in entry.rows], _time),
        "rate": _mean(
            [r.images_per_second for r in entry.rows if r.images_per_second], "{:.3g}".format
        ),
        "commands": sorted({text(row.command, 1000) for row in rows if row.command})[:8],
        "records": [[row.seed, row.path, link(records, row.path)] for row in rows],
        "pictures": _pictures(entry, records),
        "own": list(own.items()),
        "environment": environments.number(entry),
    }


def _versus(table: Table, entry: Entry, control: str) -> list[Any] | None:
    if table.primary is None:
        return None
    comparison = entry.compare_to(control, table.primary.name)
    if comparison is None:
        return None
    gap = comparison.difference
    how = f"{'paired t-test' if gap.paired else 'Welch t-test'}, n = {gap.n}"
    adjusted = table.adjusted(table.primary.name)
    if gap.p is not None:
        corrected = adjusted[entry.configuration, control]
        how += f", p = {gap.p:.2g}; after Holm's correction {corrected:.2g}"
        how += f"; chance alone gives {len(adjusted) * gap.p:.2g} of {len(adjusted)} this clear"
    shown = ""
    if gap.smallest is not None and gap.word(True) == NOISE:
        shown = number(gap.smallest, 2 if table.primary.unit == "%" else None)
    return [
        gap.value,
        gap_text(gap, table.primary.unit),
        gap.word(table.primary.higher_is_better),
        how,
        SHOWS.format(n=gap.n, smallest=shown) if shown else "",
    ]


def _values(sample: Sample, seeds: list[int]) -> list[float | None] | float | None:
    """The values in the order of ``seeds``; one number where all seeds have it."""
    found = [None if (v := sample.get(seed)) is None else _rounded(v) for seed in seeds]
    return found[0] if found and all(value == found[0] for value in found) else found


def _rounded(value: float) -> float:
    """Ten digits: enough for differences, and half as long."""
    return float(f"{value:.10g}")


def _same(table: Table, metric: str) -> str:
    """What all rows show of a metric, if there are several and they agree; else empty."""
    unit = next(m.unit for m in table.metrics if m.name == metric)
    if len(table.entries) < 2:
        return ""
    first = quantity(table.entries[0].summaries.get(metric), unit)
    same = all(quantity(e.summaries.get(metric), unit) == first for e in table.entries[1:])
    return text(first, 80) if same else ""


def _pictures(entry: Entry, records: str) -> list[list[str]]:
    found: list[list[str]] = []
    for row in entry.rows:
        folder = row.path.rpartition("/")[0]
        for picture in row.pictures:
            if len(found) == MOST_PICTURES:
                return found
            file = f"{folder}/{picture.file}" if folder else picture.file
            if address := link(records, picture.file) and link(records, file):
                name = picture.caption or PurePosixPath(picture.file).name
                found.append([f"{text(name, 120)} (seed {row.seed})", address])
    return found


def _mean(values: list[float], shown: Callable[[float], str]) -> list[Any]:
    if not values:
        return [None, "–"]
    mean = sum(sorted(values)) / len(values)
    return [round(mean, 3), shown(mean)]


def _time(seconds: float) -> str:
    return duration(seconds) if seconds < 1e9 else "–"


def _options(identity: Json, known: Pieces) -> dict[str, str]:
    pieces: list[tuple[str, str, str]] = []
    for key, value in identity.items():
        if isinstance(value, dict | list):
            place = key, msgspec.json.encode(value)
            if place not in known:
                known[place] = _pieces(key, value)
            pieces += known[place]
        else:
            pieces += _pieces(key, value)
    return {heading: shown for _, heading, shown in sorted(pieces)}


def _pieces(prefix: str, value: Any) -> list[tuple[str, str, str]]:
    return [
        (key, _heading(key), _shown(part))
        for key, part in flatten(value, prefix).items()
        if part is not None
    ]


@lru_cache(maxsize=4096)
def _heading(key: str) -> str:
    return text(key.replace(".options.", "."), 80)


def _shown(value: Any) -> str:
    # Most are names, numbers and switches that nearly all entries share.
    return _known(value) if isinstance(value, _PRIMITIVE) else text(short(value), 200)


@lru_cache(maxsize=65536, typed=True)
def _known(value: Any) -> str:
    return text(short(value), 200)
