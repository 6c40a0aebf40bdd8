"""Rows -> tables: one a protocol, ranked, each entry over its seeds and against its controls.

Pure: the result depends on the set of rows, not on their order.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from rbench.report.leaderboard.controls import Baseline, find_controls
from rbench.report.leaderboard.entries import Entry, MetricColumn, Table
from rbench.report.leaderboard.labels import label, tell_apart
from rbench.report.leaderboard.rows import Row, Value, distinct
from rbench.report.leaderboard.stats import Sample, Summary, summarise
from rbench.spec.columns import policy


def make_tables(rows: Iterable[Row], baselines: Sequence[Baseline] = ()) -> list[Table]:
    """All tables, ordered by name; within one, ranked by its primary metric."""
    protocols: dict[str, list[Row]] = defaultdict(list)
    for row in distinct(rows):
        protocols[row.protocol or row.protocol_name].append(row)
    found = [
        _table(protocol, min(row.protocol_name for row in members), members, baselines)
        for protocol, members in protocols.items()
    ]
    return sorted(found, key=lambda table: (table.name, table.protocol))


def _table(protocol: str, name: str, rows: list[Row], baselines: Sequence[Baseline]) -> Table:
    cells: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        cells[row.cell].append(row)
    entries = [_entry(cell, members) for cell, members in sorted(cells.items())]
    tell_apart(entries)
    metrics = _metrics(entries)
    primary = _primary(metrics, entries)
    find_controls(entries, baselines)
    return Table(protocol, name, metrics, primary, _ranked(entries, primary))


def _entry(cell: str, rows: list[Row]) -> Entry:
    done = [row for row in rows if row.status == "done"]
    failed = [row for row in rows if row.status != "done"]
    values: dict[str, Sample] = defaultdict(Sample)
    for row in done:
        for metric in row.metrics:
            if metric.value is not None:
                sample = values[metric.name]
                sample.setdefault(row.seed, metric.value)
                inside = _over_networks(metric) if metric.uncertainty_kind else None
                if inside is not sample.inside:
                    sample.inside = inside
    summaries = {
        name: summary
        for name, by_seed in values.items()
        if (summary := summarise(list(by_seed.values())))
    }
    first = rows[0]
    return Entry(
        cell=cell,
        model=label(first.identity.get("model"), first.given.get("model_kwargs")),
        init=label(first.identity.get("init"), first.given.get("init_kwargs")) or "default",
        freeze=policy(first.identity.get("freeze")),
        rows=done,
        failed=failed,
        values=dict(values),
        summaries=summaries,
    )


def _over_networks(metric: Value) -> Summary | None:
    """The spread over the networks that one record drew, where that is what it tells."""
    if metric.spread_over != "networks" or metric.n < 2:
        return None
    assert metric.value is not None
    if metric.uncertainty is None:
        return None
    sem = metric.uncertainty / math.sqrt(metric.n)
    mean = metric.value
    return Summary(metric.n, mean, metric.uncertainty, sem, mean, mean)


def _metrics(entries: list[Entry]) -> list[MetricColumn]:
    """Metrics in the order in which records hold them, the same for any order of records."""
    counts = Counter(
        (metric.name, place, metric.unit, metric.higher_is_better)
        for entry in entries
        for row in entry.rows
        for place, metric in enumerate(row.metrics)
    )
    places: dict[str, int] = {}
    kinds: dict[str, Counter[tuple[str, bool | None]]] = defaultdict(Counter)
    for (name, place, unit, better), number in counts.items():
        places[name] = min(place, places.get(name, place))
        kinds[name][unit, better] += number
    ordered = sorted(places, key=lambda name: (places[name], name))
    columns = []
    for name in ordered:
        unit, better = min(kinds[name], key=lambda kind: (-kinds[name][kind], str(kind)))
        columns.append(MetricColumn(name, unit, better))
    return columns


def _primary(metrics: list[MetricColumn], entries: list[Entry]) -> MetricColumn | None:
    """The first metric with a direction, of those that most entries have."""
    able = [metric for metric in metrics if metric.higher_is_better is not None]
    if not able:
        return None
    have = {m.name: sum(m.name in entry.summaries for entry in entries) for m in able}
    most = max(have.values())
    return next(metric for metric in able if 2 * have[metric.name] >= most)


def _ranked(entries: list[Entry], primary: MetricColumn | None) -> list[Entry]:
    cut = all(not entry.comparable for entry in entries)

    def key(entry: Entry) -> tuple[Any, ...]:
        summary = entry.summaries.get(primary.name) if primary else None
        value = 0.0
        if primary and summary:
            value = -summary.mean if primary.higher_is_better else summary.mean
        able = cut or entry.comparable
        return (not able or summary is None, not able, summary is None, value, *entry.order)

    entries = sorted(entries, key=key)
    previous: tuple[float, int] | None = None
    for place, entry in enumerate(entries, 1):
        summary = entry.summaries.get(primary.name) if primary else None
        if summary is None or not (cut or entry.comparable):
            continue
        same = previous is not None and previous[0] == summary.mean
        entry.rank = previous[1] if same and previous else place
        previous = (summary.mean, entry.rank)
    return entries
