"""Tables for a terminal, for LaTeX, and as a Parquet file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from rbench.errors import UserError, printable
from rbench.report.leaderboard.entries import Entry, MetricColumn, Table
from rbench.report.leaderboard.table_csv import from_csv, to_csv
from rbench.report.leaderboard.table_markdown import leader
from rbench.report.leaderboard.text import count, mean_and_spread

_LATEX = {
    "±": "$\\pm$",
    "↑": "$\\uparrow$",
    "↓": "$\\downarrow$",
    "−": "$-$",
    "–": "--",
}


def to_terminal(
    tables: Sequence[Table], at_most: int | None = None, width: int | None = None
) -> str:
    """Every table in plain text, fitted to ``width`` characters (the terminal's).

    The network, its rank and the first metric are always there; further metrics as far as they
    fit, and a line says how many did not.
    """
    from tabulate import tabulate

    width = width or shutil.get_terminal_size((100, 24)).columns
    parts = []
    for table in tables:
        shown = list(table.metrics)
        shown.sort(key=lambda metric: metric is not table.primary)
        # What learned is said in words where they leave room for all metrics.
        fits = [(len(shown), True), *((fit, False) for fit in range(len(shown), 0, -1))]
        for fit, words in fits:
            rows = [heads(table, shown[:fit])]
            rows += _rows(table, shown[:fit], at_most, width, words=words)
            text = tabulate(rows[1:], rows[0], "simple", disable_numparse=True)
            if max(map(len, text.splitlines())) <= width:
                break
        left = len(shown) - fit if shown else 0
        note = f"{left} more metrics: --csv, or a wider terminal\n" if left else ""
        parts.append(f"{printable(table.name)}\n{leader(table)}\n\n{text}\n{note}")
    return "\n".join(parts) or "No records yet.\n"


def to_latex(tables: Sequence[Table], at_most: int | None = None) -> str:
    """Every table as a booktabs ``tabular``; texts are escaped."""
    from tabulate import tabulate

    parts = []
    for table in tables:
        rows = list(_rows(table, table.metrics, at_most))
        text = tabulate(rows, heads(table, table.metrics), "latex_booktabs", disable_numparse=True)
        for sign, command in _LATEX.items():
            text = text.replace(sign, command)
        parts.append(f"% {printable(table.name)}\n{text}\n")
    return "\n".join(parts)


def to_parquet(tables: Sequence[Table], path: Path) -> None:
    """The lines of the CSV, with numbers as numbers."""
    if find_spec("pyarrow") is None:
        raise UserError("--parquet needs pyarrow: pip install pyarrow")
    import pandas

    frame = pandas.DataFrame(from_csv(to_csv(list(tables))))
    for name in ("identity", "seeds", "values"):
        frame[name] = frame[name].map(str)
    frame.to_parquet(path, index=False)


def heads(table: Table, metrics: Sequence[MetricColumn]) -> list[str]:
    """The headings: arrows say which direction is better."""
    inits = any(entry.init != "default" for entry in table.entries)
    arrows = {True: " ↑", False: " ↓", None: ""}
    names = [
        f"{m.name}{f' {m.unit}' if m.unit else ''}{arrows[m.higher_is_better]}" for m in metrics
    ]
    return ["#", "network", *(["init"] if inits else []), "frozen", "learns", *names, "seeds"]


def _rows(
    table: Table,
    metrics: Sequence[MetricColumn],
    at_most: int | None,
    width: int = 400,
    *,
    words: bool = True,
) -> Iterator[list[str]]:
    inits = any(entry.init != "default" for entry in table.entries)
    for entry in table.entries[:at_most]:
        yield [
            entry.place,
            printable(_name(entry), max(16, width // 3)),
            *([printable(entry.init, 20)] if inits else []),
            printable(entry.frozen, 24),
            entry.what_learned if words else count(entry.learned),
            *(mean_and_spread(entry.summaries.get(m.name), m.unit) for m in metrics),
            str(entry.seeds),
        ]


def _name(entry: Entry) -> str:
    return f"{entry.model} ({entry.notes})" if entry.notes else entry.model
