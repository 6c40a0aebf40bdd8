"""Records as a pandas DataFrame, one row a record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rbench.report.leaderboard.reader import read_rows
from rbench.report.leaderboard.rows import Row
from rbench.spec.columns import NAMED, named, options

if TYPE_CHECKING:
    import pandas

FIELDS = (
    "path",
    "digest",
    "status",
    "configuration",
    "protocol",
    "protocol_name",
    "comparable",
    "seed",
    "started",
    "seconds",
    "images_per_second",
    "peak_memory_bytes",
    "learnable_parameters",
    "frozen_parameters",
    "error",
    "command",
)
"""Columns that a frame has besides those of metrics and options."""


def load(folder: str | Path, skip_broken: bool = False) -> pandas.DataFrame:
    """Every record under ``folder``.

    Columns: ``model init freeze task dataset``, the fields in :data:`FIELDS`,
    ``metric.<name>`` with its value (``.uncertainty`` where it has one), and what the digest was
    taken of: ``model.<option>``, ``init.<option>``, ``task.<option>``, ``dataset.<option>``,
    ``training.<field>``.
    """
    import pandas

    return pandas.DataFrame([columns(row) for row in read_rows(Path(folder), skip_broken)])


def columns(row: Row) -> dict[str, Any]:
    """One record's columns."""
    found: dict[str, Any] = {name: named(row.identity, name) for name in NAMED}
    found.update((name, getattr(row, name)) for name in FIELDS)
    for metric in row.metrics:
        found[f"metric.{metric.name}"] = metric.value
        if metric.uncertainty is not None:
            found[f"metric.{metric.name}.uncertainty"] = metric.uncertainty
    for key, value in options(row.identity).items():
        found.setdefault(key, value)
    return found
