"""Tables as CSV: one line an entry and metric, under columns whose names stay."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from rbench.errors import UserError
from rbench.report.leaderboard.controls import CONTROLS
from rbench.report.leaderboard.entries import Entry, MetricColumn, Table
from rbench.report.leaderboard.stats import CONFIDENCE
from rbench.report.leaderboard.text import cell, uncell

_PERCENT = f"{100 * CONFIDENCE:.0f} %"
COLUMNS: dict[str, str] = {
    "protocol": "text: digest of task, data, recipe and limit; equal ones are comparable",
    "protocol_name": "text: the protocol for people",
    "comparable": "true or false: false, for instance, for runs cut by --limit; these have no rank",
    "rank": "integer: place by the protocol's first metric that has a direction; ties share one",
    "rank_low": "integer: lowest rank possible, at 95 % for all rows of the table together",
    "rank_high": "integer: highest rank possible; both are empty above 500 rows",
    "selected_on_test": "true or false: whether an epoch was selected on the test split",
    "model": "text: network and the options that were given for it",
    "init": "text: initializer and its given options; default: the network's own",
    "freeze": "text: freeze policy; several are joined by +",
    "frozen": "text: what stayed as drawn: the policy, by design, or all (untrained)",
    "note": "text: what else tells this row from one of the same names",
    "metric": "text: name of the metric",
    "unit": "text: unit of the numbers that follow",
    "higher_is_better": "true, false, or empty where neither is better",
    "n": "integer: seeds with a finite value",
    "mean": "number: mean over seeds",
    "std": "number: standard deviation over seeds, ddof 1; empty for one seed",
    "sem": "number: standard error of the mean, std / sqrt(n); empty for one seed",
    "min": "number: smallest value",
    "max": "number: largest value",
    "interval_low": "number: lower end of Wilson's 95 % interval, where every seed has 0 or 100 %",
    "interval_high": "number: upper end of that interval",
    "seeds": "integers, separated by spaces: the seeds with a finite value",
    "values": "numbers, separated by spaces: their values, in the order of seeds",
    **{
        f"vs_{control}{name}": text
        for control, what in (
            ("learnable", "the same network with nothing frozen"),
            ("baseline", "the plain network that the registry declares"),
        )
        for name, text in (
            ("", f"number: mean minus that of {what}; empty where there is none"),
            ("_low", f"number: lower end of its {_PERCENT} confidence interval"),
            ("_high", f"number: upper end of its {_PERCENT} confidence interval"),
            ("_p", "number: two-sided p of the t-test, paired over shared seeds if two or more"),
            ("_p_holm", "number: p after Holm's correction over the table's comparisons in it"),
            ("_smallest", "number: the smallest difference that these seeds could have shown"),
            ("_test", "text: paired or Welch"),
            ("_verdict", "text: better, worse, within the noise, ..."),
        )
    },
    "learnable_parameters": "integer: parameters that learned; 0 where nothing was trained",
    "frozen_parameters": "integer: parameters that stay as drawn",
    "seconds": "number: mean wall time of a run",
    "peak_memory_bytes": "integer: largest over the seeds",
    "failed_seeds": "integer: failed or interrupted runs of this row, not in the numbers",
    "configuration": "text: digest of the configuration, the same for all its seeds",
    "identity": "JSON text: everything that the digest was taken of, seed and metrics apart",
    "records": "text: paths of the records, separated by spaces",
}
_PLACES = {name: place for place, name in enumerate(COLUMNS)}
_TEXT = {name for name, what in COLUMNS.items() if what.startswith(("text", "JSON"))}


def to_csv(tables: list[Table]) -> str:
    """All lines of ``tables``, UTF-8 text with a heading line, rows ended by one newline."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    for table in tables:
        named = {"protocol": table.protocol, "protocol_name": table.name}
        of_table = _filled([""] * len(COLUMNS), named)
        for entry in table.entries:
            if not entry.rows:
                continue
            of_entry = _filled(of_table, _of_entry(entry))
            for metric in table.metrics:
                if metric.name in entry.summaries:
                    values = _of_metric(entry, metric, table.adjusted(metric.name))
                    writer.writerow(_filled(of_entry, values))
    return written.getvalue()


def _filled(line: list[str], values: dict[str, Any]) -> list[str]:
    """A copy of ``line`` with the columns of ``values`` filled in."""
    line = line.copy()
    for name, value in values.items():
        if value is not None:
            line[_PLACES[name]] = repr(value) if type(value) is float else _text(name, value)
    return line


def from_csv(text: str) -> list[dict[str, Any]]:
    """The lines of :func:`to_csv` with texts, numbers, booleans and None as they were."""
    lines = csv.DictReader(io.StringIO(text))
    missing = [name for name in COLUMNS if name not in (lines.fieldnames or [])]
    if missing:
        raise UserError(f"this is not a leaderboard CSV: the column {missing[0]} is missing")
    return [{name: _parsed(name, line[name]) for name in COLUMNS} for line in lines]


def _of_entry(entry: Entry) -> dict[str, Any]:
    peaks = [row.peak_memory_bytes for row in entry.rows if row.peak_memory_bytes is not None]
    return {
        "comparable": entry.comparable,
        "rank": entry.rank,
        **dict(zip(("rank_low", "rank_high"), entry.rank_interval or (), strict=False)),
        "selected_on_test": entry.selected_on_test,
        "model": entry.model,
        "init": entry.init,
        "freeze": entry.freeze,
        "frozen": entry.frozen,
        "note": entry.note,
        "learnable_parameters": entry.learned,
        "frozen_parameters": entry.fixed,
        "seconds": sum(sorted(row.seconds for row in entry.rows)) / len(entry.rows),
        "peak_memory_bytes": max(peaks) if peaks else None,
        "failed_seeds": len(entry.failed),
        "configuration": entry.configuration,
        "identity": _escaped(entry.first.identity),
        "records": " ".join(row.path for row in entry.rows),
    }


def _escaped(identity: dict[str, Any]) -> str:
    """Compact JSON in ASCII: what is not printable stays what it is."""
    text = msgspec.json.encode(identity, order="sorted").decode()
    plain = text.isascii() and text.isprintable()
    return text if plain else json.dumps(json.loads(text), separators=(",", ":"))


def _of_metric(
    entry: Entry, metric: MetricColumn, adjusted: Mapping[tuple[str, str], float]
) -> dict[str, Any]:
    summary, values = entry.summaries[metric.name], entry.values[metric.name]
    seeds = sorted(values)
    line: dict[str, Any] = {
        "metric": metric.name,
        "unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
        "n": summary.n,
        "mean": summary.mean,
        "std": summary.std,
        "sem": summary.sem,
        "min": summary.low,
        "max": summary.high,
        **dict(zip(("interval_low", "interval_high"), summary.ends or (), strict=False)),
        "seeds": " ".join(map(str, seeds)),
        "values": " ".join([repr(values[seed]) for seed in seeds]),
    }
    for control in CONTROLS:
        if comparison := entry.compare_to(control, metric.name):
            gap, name = comparison.difference, f"vs_{control}"
            line[name] = gap.value
            numbers = {
                "low": gap.low,
                "high": gap.high,
                "p": gap.p,
                "p_holm": adjusted.get((entry.configuration, control)),
                "smallest": gap.smallest,
            }
            for part, value in numbers.items():
                # Seven digits are the same with every version of scipy.
                line[f"{name}_{part}"] = None if value is None else float(f"{value:.7g}")
            line[f"{name}_test"] = "paired" if gap.paired else "Welch"
            line[f"{name}_verdict"] = gap.word(metric.higher_is_better)
    return line


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if name in _TEXT or name in ("seeds", "values"):
        return cell(value, 100_000) if name in _TEXT or " " in value else value
    return str(value)


def _parsed(name: str, text: str) -> Any:
    what = COLUMNS[name]
    if what.startswith("JSON"):
        return json.loads(uncell(text))
    if name in _TEXT:
        return uncell(text)
    if text == "":
        return None if not what.startswith(("integers", "numbers")) else []
    if what.startswith("integers"):
        return [int(part) for part in uncell(text).split()]
    if what.startswith("numbers"):
        return [float(part) for part in uncell(text).split()]
    if what.startswith("true"):
        return text == "true"
    return int(text) if what.startswith("integer") else float(text)
