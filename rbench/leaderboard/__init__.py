"""Records -> tables, pages and pictures: pure, deterministic, and without torch."""

from __future__ import annotations

from rbench.leaderboard.build import build, stale, write
from rbench.leaderboard.controls import Baseline
from rbench.leaderboard.frame import load
from rbench.leaderboard.reader import from_records, read_rows
from rbench.leaderboard.rows import Row
from rbench.leaderboard.tables import Entry, Table, make_tables

__all__ = [
    "Baseline",
    "Entry",
    "Row",
    "Table",
    "build",
    "from_records",
    "load",
    "make_tables",
    "read_rows",
    "stale",
    "write",
]
