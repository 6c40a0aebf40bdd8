"""What a sweep would do and what it would cost, without doing it.

A folder of a hundred thousand records is looked through by its names and by the first bytes of
those that matter; only a few records are opened, for their seconds and memory.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from rbench import hardware
from rbench.spec.resolve import Resolved
from rbench.sweep.job import Ticket
from rbench.sweep.survey import Survey

SAMPLES = 3
"""Earlier records that are opened for one configuration."""
OPENED = 3000
"""Earlier records that are opened for a whole plan."""

Source = Literal["records", "pilot", "unknown"]
Pilot = Callable[[Ticket], "Cost | None"]


@dataclass(frozen=True)
class Cost:
    """Of one cell: seconds, bytes of memory, bytes on disk when done, and while it runs."""

    seconds: float | None
    memory: int | None = None
    disk: int = 0
    checkpoints: int = 0
    source: Source = "unknown"
    samples: int = 0


@dataclass(frozen=True)
class Group:
    """Cells that differ in their seed only."""

    name: str
    cells: list[Resolved]
    cost: Cost


@dataclass(frozen=True)
class Plan:
    """What is there, what is missing, and what that will cost; groups in the order of running."""

    done: int
    failed: int
    running: int
    missing: int
    groups: list[Group]
    slots: int
    memory_available: int | None

    @property
    def seconds(self) -> float:
        """Of computing, over all missing cells whose cost is known."""
        return sum(len(g.cells) * (g.cost.seconds or 0.0) for g in self.groups)

    @property
    def unknown(self) -> int:
        """Missing cells whose cost is not known."""
        return sum(len(g.cells) for g in self.groups if g.cost.seconds is None)

    @property
    def memory(self) -> int:
        """Bytes, if the hungriest cells run side by side."""
        return self.slots * max((g.cost.memory or 0 for g in self.groups), default=0)

    @property
    def disk(self) -> int:
        """Bytes of the missing records, and of the checkpoints of those that run at a time."""
        checkpoints = max((g.cost.checkpoints for g in self.groups), default=0)
        return sum(len(g.cells) * g.cost.disk for g in self.groups) + self.slots * checkpoints

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "done": self.done,
            "failed": self.failed,
            "running": self.running,
            "missing": self.missing,
            "slots": self.slots,
            "seconds": round(self.seconds, 1),
            "wall_seconds": round(self.seconds / self.slots, 1),
            "unknown": self.unknown,
            "memory_bytes": self.memory,
            "memory_available_bytes": self.memory_available,
            "disk_bytes": self.disk,
            "groups": [
                {
                    "name": group.name,
                    "cells": [cell.slug for cell in group.cells],
                    "seconds_each": group.cost.seconds,
                    "memory_bytes": group.cost.memory,
                    "disk_bytes_each": group.cost.disk,
                    "source": group.cost.source,
                    "samples": group.cost.samples,
                }
                for group in self.groups
            ],
        }


def make_plan(
    found: Survey, output: Path, slots: int, pilot: Pilot | None = None, *, failed: bool = False
) -> Plan:
    """The plan of what ``found`` lacks (and, if wanted, of what failed)."""
    todo = found.missing + found.failed if failed else found.missing
    together: dict[str, list[Resolved]] = defaultdict(list)
    for cell in todo:
        together[_alike(cell)].append(cell)
    earlier = _earlier(output)
    budget = OPENED
    groups = []
    for cells in together.values():
        cost, opened = _from_records(cells[0], earlier, min(SAMPLES, budget))
        budget -= opened
        if cost is None and pilot is not None:
            cost = pilot(Ticket.of(cells[0]))
        groups.append(Group(_name(cells[0]), cells, cost or Cost(None)))
    slugs = {cell.slug for cell in found.missing}
    return Plan(
        done=len(found.done),
        failed=len(found.failed),
        running=sum(slug in slugs for slug in found.running),
        missing=len(todo),
        groups=groups,
        slots=slots,
        memory_available=hardware.memory(),
    )


def _alike(cell: Resolved) -> str:
    return json.dumps({**cell.identity, "seed": None}, sort_keys=True)


def _name(cell: Resolved) -> str:
    """The record's name without seed and digest: what records of the same kind share."""
    return _NAME.sub("", cell.slug)


_NAME = re.compile(r"-s\d+-[0-9a-f]{10}$")
Earlier = dict[str, list[str]]


def _earlier(output: Path) -> Earlier:
    """Paths of records by configuration, as far as their names tell it."""
    found: Earlier = defaultdict(list)
    try:
        for entry in os.scandir(output):
            if entry.name.endswith(".json") and not entry.name.startswith("."):
                found[_NAME.sub("", entry.name.removesuffix(".json"))].append(entry.path)
    except OSError:
        pass
    return found


def _from_records(cell: Resolved, earlier: Earlier, most: int) -> tuple[Cost | None, int]:
    """The cost by records of the same configuration on the same hardware, or None."""
    samples: list[dict[str, Any]] = []
    opened = 0
    wanted = _alike(cell)
    for path in earlier.get(_name(cell), []):
        if opened >= 3 * most or len(samples) >= most:
            break
        opened += 1
        try:
            content = json.loads(Path(path).read_bytes())
            alike = json.dumps({**content["resolved"], "seed": None}, sort_keys=True) == wanted
            if alike and content["status"] == "done" and _same_hardware(content, cell):
                samples.append({**content, "bytes": _size(Path(path))})
        except (OSError, ValueError, KeyError, TypeError):
            continue
    if not samples:
        return None, opened
    memory = [s["peak_memory_bytes"] for s in samples if s["peak_memory_bytes"]]
    cost = Cost(
        seconds=round(median(s["seconds"] for s in samples), 3),
        memory=max(memory, default=None),
        disk=int(median(s["bytes"] for s in samples)),
        checkpoints=checkpoint_bytes(samples[0]["freeze"], cell),
        source="records",
        samples=len(samples),
    )
    return cost, opened


def checkpoint_bytes(freeze: Any, cell: Resolved) -> int:
    """Of two checkpoints in float32: every weight, and twice more for those that learn."""
    if cell.training is None or not freeze:
        return 0
    learnable, frozen = freeze["learnable"]["count"], freeze["frozen"]["count"]
    return int(2 * 4 * (3 * learnable + frozen))


def _same_hardware(content: dict[str, Any], cell: Resolved) -> bool:
    environment = content["environment"]
    if environment.get("device") != cell.device.split(":")[0]:
        return False
    if cell.device.startswith("cuda"):
        names = hardware.gpu_names()
        return not names or environment.get("gpu") in names
    return bool(environment.get("cpu") == hardware.cpu_name())


def _size(path: Path) -> int:
    """Of a record and the pictures in the folder beside it."""
    total = path.stat().st_size
    folder = path.with_suffix("")
    if folder.is_dir():
        total += sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
    return total
