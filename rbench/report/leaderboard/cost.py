"""On what machine the runs of a table were made, and what they took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rbench.errors import printable
from rbench.report.leaderboard.entries import Table
from rbench.report.leaderboard.rows import Row
from rbench.report.leaderboard.text import duration

MOST = 3
"""Machines that the line names."""


def made_on(table: Table) -> str:
    """``n = 2 to 4; Intel Xeon, bfloat16, torch 2.15.0; 2.4 min a run; 1.9 core-hours in all``."""
    rows = [row for entry in table.entries for row in entry.rows]
    if not rows:
        return ""
    counts = [entry.seeds for entry in table.entries if entry.rows]
    fewest, most = min(counts), max(counts)
    parts = [f"n = {fewest}" if fewest == most else f"n = {fewest} to {most}"]
    parts.append(_together(row.environment for row in rows))
    typical = sorted(row.seconds for row in rows)[len(rows) // 2]
    parts.append(f"{duration(typical)} a run (median)")
    return "; ".join(filter(None, [*parts, *_hours(rows)]))


def _together(environments: Iterable[dict[str, Any]]) -> str:
    """The machines, precisions and versions, each named once."""
    machines: dict[str, None] = {}
    precisions: dict[str, None] = {}
    versions: dict[str, None] = {}
    for one in environments:
        accelerator = one.get("gpu")
        machines[printable(accelerator or one.get("cpu") or "", 60)] = None
        precisions[printable(one.get("precision") or "", 20)] = None
        packages = one.get("packages")
        torch = packages.get("torch") if isinstance(packages, dict) else one.get("torch")
        versions[printable(f"torch {torch}" if torch else "", 30)] = None
    return ", ".join(filter(None, (_listed(machines), _listed(precisions), _listed(versions))))


def _listed(texts: Iterable[str]) -> str:
    found = sorted(filter(None, texts))
    more = [f"{len(found) - MOST} more"] if len(found) > MOST else []
    return " and ".join([*found[:MOST], *more])


def _count(given: object) -> int:
    return given if isinstance(given, int) and 0 < given < 1e6 else 1


def _hours(rows: Sequence[Row]) -> list[str]:
    """What all runs of the table took: core-hours on processors, GPU-hours on GPUs."""
    found = {"core-hours": 0.0, "GPU-hours": 0.0}
    for row in rows:
        one = row.environment
        gpu = str(one.get("device") or "cpu") != "cpu"
        workers = _count(one.get("processes")) * (1 if gpu else _count(one.get("threads")))
        found["GPU-hours" if gpu else "core-hours"] += row.seconds * workers / 3600
    return [f"{value:.3g} {unit} in all" for unit, value in found.items() if value]
