"""Rows -> tables: one a protocol, ranked, each entry over its seeds and against its controls.

Pure: the result depends on the set of rows, not on their order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from rbench.records.titles import label, short
from rbench.report.leaderboard.controls import Baseline, find_controls
from rbench.report.leaderboard.entries import Entry, MetricColumn, Table
from rbench.report.leaderboard.grouping import (
    MetricColumns,
    columns_by_options,
    configurations,
    titles_apart,
)
from rbench.report.leaderboard.labels import tell_apart
from rbench.report.leaderboard.multiplicity import rank_intervals
from rbench.report.leaderboard.rows import Row, Value, distinct
from rbench.report.leaderboard.stats import (
    Sample,
    Summary,
    summarize,
    wilson_ends,
    within_run,
)
from rbench.report.leaderboard.titles import entitle, ordered
from rbench.spec.columns import policy


def make_tables(rows: Iterable[Row], baselines: Sequence[Baseline] = ()) -> list[Table]:
    """All tables, the best protocol first; within one, ranked by its primary metric."""
    protocols: dict[str, list[Row]] = defaultdict(list)
    for row in distinct(rows):
        protocols[row.protocol or row.protocol_name].append(row)
    titles = titles_apart(protocols)
    found = [
        _table(protocol, titles[protocol], members, baselines)
        for protocol, members in protocols.items()
    ]
    entitle(found)
    return ordered(found)


def _table(protocol: str, name: str, rows: list[Row], baselines: Sequence[Baseline]) -> Table:
    columns = columns_by_options(rows)
    entries = [_entry(members, columns) for members in configurations(rows)]
    tell_apart(entries)
    metrics = _metrics(entries, columns)
    primary = _primary(metrics, entries)
    find_controls(entries, baselines)
    return Table(protocol, name, metrics, primary, _ranked(entries, primary))


def _entry(rows: list[Row], columns: MetricColumns) -> Entry:
    done = [row for row in rows if row.status == "done"]
    failed = [row for row in rows if row.status != "done"]
    values: dict[str, Sample] = defaultdict(Sample)
    ends: dict[str, list[Value]] = defaultdict(list)
    for row in done:
        for metric in row.metrics:
            if metric.value is None:
                continue
            name = columns.name(row, metric)
            sample = values[name]
            sample.setdefault(row.seed, metric.value)
            own = within_run(metric)
            if own is not sample.within_run:
                sample.within_run = own
            if metric.value in (0.0, 100.0) and metric.unit == "%":
                ends[name].append(metric)
    summaries = {
        name: summary
        for name, by_seed in values.items()
        if (summary := summarize(list(by_seed.values())))
    }
    for name, found in ends.items():
        summaries[name] = at_an_end(summaries[name], found)
    first = rows[0]
    return Entry(
        configuration=first.configuration,
        model=label(first.identity.get("model"), first.explicit_options.get("model_kwargs")),
        init=label(first.identity.get("init"), first.explicit_options.get("init_kwargs"))
        or "default",
        freeze=_policy(first),
        rows=done,
        failed=failed,
        values=dict(values),
        summaries=summaries,
    )


def _policy(row: Row) -> str:
    """What was frozen, each rule with its options: ``fraction p=0.9 unit=filter``."""
    rules, terms = row.identity.get("freeze_rules"), row.identity.get("freeze")
    if not isinstance(rules, dict) or not isinstance(terms, list):
        return policy(terms)
    shown = []
    for term in map(str, terms):
        rule = rules.get(term.removeprefix("!"))
        found = rule.get("options") if isinstance(rule, dict) else None
        pairs = found.items() if isinstance(found, dict) else ()
        given = (f"{name}={short(value)}" for name, value in pairs if value is not None)
        shown.append(" ".join([term, *given]))
    return policy(shown)


def at_an_end(summary: Summary, metrics: Sequence[Value]) -> Summary:
    """With Wilson's interval, where every seed has 0 % or every seed has 100 % of the images.

    The seeds see the same images, so that their number says nothing: the interval is of one.
    """
    counted = {m.n for m in metrics if (m.uncertainty_kind or "").startswith("binomial")}
    if len(metrics) < summary.n or summary.low != summary.high or len(counted) != 1:
        return summary
    (n,) = counted
    return replace(summary, ends=wilson_ends(summary.mean, n))


def _metrics(entries: list[Entry], columns: MetricColumns) -> list[MetricColumn]:
    """Metrics in the order in which records hold them, the same for any order of records.

    What less than half as many runs as the most frequent metric have comes after the others.
    """
    counts = Counter(
        (columns.name(row, metric), place, metric.unit, metric.higher_is_better)
        for entry in entries
        for row in entry.rows
        for place, metric in enumerate(row.metrics)
    )
    places: dict[str, int] = {}
    kinds: dict[str, Counter[tuple[str, bool | None]]] = defaultdict(Counter)
    for (name, place, unit, better), number in counts.items():
        places[name] = min(place, places.get(name, place))
        kinds[name][unit, better] += number
    runs = {name: sum(found.values()) for name, found in kinds.items()}
    most = max(runs.values(), default=0)
    ordered = sorted(places, key=lambda name: (2 * runs[name] < most, places[name], name))
    found = []
    for name in ordered:
        unit, better = min(kinds[name], key=lambda kind: (-kinds[name][kind], str(kind)))
        found.append(MetricColumn(name, unit, better))
    return found


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
    ranked = [entry for entry in entries if entry.rank is not None]
    if primary is not None and primary.higher_is_better is not None:
        samples = [entry.values[primary.name] for entry in ranked]
        intervals = rank_intervals(samples, primary.higher_is_better) or []
        for entry, interval in zip(ranked, intervals, strict=False):
            entry.rank_interval = interval
    return entries
