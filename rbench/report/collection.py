"""The records that a call returns: a list that prints as a table and becomes a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rbench.records.record import Record
from rbench.records.titles import learned
from rbench.report.leaderboard.frame import columns
from rbench.report.leaderboard.reader import from_records

if TYPE_CHECKING:
    import pandas as pd


class Records(list[Record]):
    """Records in the order of their seeds. ``paths`` are their files, if they were written."""

    def __init__(self, records: Iterable[Record] = (), paths: Sequence[Path] = ()) -> None:
        super().__init__(records)
        self.paths = list(paths)

    def to_frame(self) -> pd.DataFrame:
        """One row a record, with the columns of :func:`rbench.load`."""
        import pandas

        frame = pandas.DataFrame([columns(row) for row in from_records(self)])
        if self.paths:
            frame["path"] = [str(path) for path in self.paths]
        return frame

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) if self else "no records"

    def _repr_html_(self) -> str:
        """A table with a row a record: how it ended, its metrics, its seconds."""
        names = list(dict.fromkeys(m.name for record in self for m in record.metrics))
        heading = ["model", "learns", "seed", "status", *names, "seconds"]
        rows = [
            [
                str(record.spec.get("model", "")),
                learned(record),
                str(record.seed),
                record.status if record.error is None else record.error.describe(),
                *(_number(record, name) for name in names),
                f"{record.seconds:.1f}",
            ]
            for record in self
        ]
        return f"<table>{_row('th', heading)}{''.join(_row('td', row) for row in rows)}</table>"


def _number(record: Record, name: str) -> str:
    found = [m for m in record.metrics if m.name == name]
    if not found or found[0].value is None:
        return ""
    return f"{found[0].value:.4g} {found[0].unit}".strip()


def _row(tag: str, texts: list[Any]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(str(text))}</{tag}>' for text in texts)}</tr>"
