"""Records -> tables, pages and pictures: pure, deterministic, and without torch."""

from __future__ import annotations

from rbench.report.leaderboard.build import build, stale, write
from rbench.report.leaderboard.controls import Baseline
from rbench.report.leaderboard.entries import Entry, Table
from rbench.report.leaderboard.frame import load
from rbench.report.leaderboard.reader import from_records, read_folders, read_rows
from rbench.report.leaderboard.rows import Row
from rbench.report.leaderboard.tables import make_tables

__all__ = [
    "Baseline",
    "Entry",
    "Row",
    "Table",
    "build",
    "from_records",
    "load",
    "make_tables",
    "read_folders",
    "read_rows",
    "stale",
    "write",
]
