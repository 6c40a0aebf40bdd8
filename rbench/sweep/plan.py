"""What a sweep would do and what it would cost, without doing it.

A folder of a hundred thousand records is searched by file names and by the first bytes of the
records that matter; only a few are opened, for their seconds and memory.
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
from rbench.records.store import RECORD_SUFFIX, Store
from rbench.spec.resolve import Resolved
from rbench.sweep.job import RunJob
from rbench.sweep.survey import Survey

SAMPLES = 3
"""Most earlier records that are opened for one configuration."""
OPENED = 3000
"""Most earlier records that are opened for a whole plan."""

Source = Literal["records", "pilot", "unknown"]
Pilot = Callable[[RunJob], "Cost | None"]


@dataclass(frozen=True)
class Cost:
    """Of one run: seconds, bytes of memory, bytes on disk when done, and of its checkpoints."""

    seconds: float | None
    memory: int | None = None
    disk: int = 0
    checkpoints: int = 0
    source: Source = "unknown"
    samples: int = 0


@dataclass(frozen=True)
class Configuration:
    """Runs that differ in their seed only."""

    name: str
    runs: list[Resolved]
    cost: Cost


@dataclass(frozen=True)
class Plan:
    """What is done, what is left, and what that will cost; configurations in the order of running.

    Every run of the suite is in exactly one of done, failed, running and missing.
    """

    done: int
    failed: int
    running: int
    missing: int
    retried: int
    """Failed runs that are part of the plan because the user asked to retry them."""
    configurations: list[Configuration]
    slots: int
    memory_available: int | None

    @property
    def to_run(self) -> int:
        """How many runs the sweep would execute."""
        return sum(len(c.runs) for c in self.configurations)

    @property
    def known(self) -> bool:
        """Whether the cost of any run is known."""
        return any(c.cost.seconds is not None for c in self.configurations)

    @property
    def seconds(self) -> float:
        """Computing time of all runs whose cost is known."""
        return sum(len(c.runs) * (c.cost.seconds or 0.0) for c in self.configurations)

    @property
    def unknown(self) -> int:
        """How many of the runs have an unknown cost."""
        return sum(len(c.runs) for c in self.configurations if c.cost.seconds is None)

    @property
    def memory(self) -> int:
        """Bytes, if the runs that need most run at the same time."""
        return self.slots * max((c.cost.memory or 0 for c in self.configurations), default=0)

    @property
    def disk(self) -> int:
        """Bytes of the missing records, and of the checkpoints of runs at the same time."""
        checkpoints = max((c.cost.checkpoints for c in self.configurations), default=0)
        return (
            sum(len(c.runs) * c.cost.disk for c in self.configurations) + self.slots * checkpoints
        )

    def to_json(self) -> dict[str, Any]:
        """What ``rbench plan --json`` prints."""
        return {
            "done": self.done,
            "failed": self.failed,
            "running": self.running,
            "missing": self.missing,
            "retried": self.retried,
            "to_run": self.to_run,
            "slots": self.slots,
            "seconds": round(self.seconds, 1),
            "wall_seconds": round(self.seconds / self.slots, 1),
            "unknown": self.unknown,
            "memory_bytes": self.memory,
            "memory_available_bytes": self.memory_available,
            "disk_bytes": self.disk,
            "configurations": [
                {
                    "name": each.name,
                    "runs": [run.slug for run in each.runs],
                    "seconds_each": each.cost.seconds,
                    "memory_bytes": each.cost.memory,
                    "disk_bytes_each": each.cost.disk,
                    "source": each.cost.source,
                    "samples": each.cost.samples,
                }
                for each in self.configurations
            ],
        }


def make_plan(
    found: Survey, output: Path, slots: int, pilot: Pilot | None = None, *, retry: bool = False
) -> Plan:
    """The plan of what ``found`` lacks and, with ``retry``, of what failed."""
    together: dict[str, list[Resolved]] = defaultdict(list)
    for run in found.to_run(retry_failed=retry):
        together[_alike(run)].append(run)
    earlier = _earlier(Store(output))
    budget = OPENED
    configurations = []
    for runs in together.values():
        cost, opened = _from_records(runs[0], earlier, min(SAMPLES, budget))
        budget -= opened
        if cost is None and pilot is not None:
            cost = pilot(RunJob.of(runs[0]))
        configurations.append(Configuration(_name(runs[0]), runs, cost or Cost(None)))
    running = sum(run.slug in found.running for run in found.missing)
    return Plan(
        done=len(found.done),
        failed=len(found.failed),
        running=running,
        missing=len(found.missing) - running,
        retried=len(found.failed) if retry else 0,
        configurations=configurations,
        slots=slots,
        memory_available=hardware.available_memory(),
    )


def _alike(run: Resolved) -> str:
    return json.dumps({**run.identity, "seed": None}, sort_keys=True)


def _name(run: Resolved) -> str:
    """The record's name without seed and digest, which records of a configuration share."""
    return _NAME.sub("", run.slug)


_NAME = re.compile(r"-s\d+-[0-9a-f]{10}$")
Earlier = dict[str, list[str]]


def _earlier(store: Store) -> Earlier:
    """Paths of records by configuration, as far as their names tell it."""
    found: Earlier = defaultdict(list)
    for entry in store.record_files():
        found[_NAME.sub("", entry.name.removesuffix(RECORD_SUFFIX))].append(entry.path)
    return found


def _from_records(run: Resolved, earlier: Earlier, most: int) -> tuple[Cost | None, int]:
    """The cost in records of the same configuration on the same hardware, or None."""
    samples: list[dict[str, Any]] = []
    opened = 0
    wanted = _alike(run)
    for path in earlier.get(_name(run), []):
        if opened >= 3 * most or len(samples) >= most:
            break
        opened += 1
        try:
            content = json.loads(Path(path).read_bytes())
            alike = json.dumps({**content["resolved"], "seed": None}, sort_keys=True) == wanted
            if alike and content["status"] == "done" and _same_hardware(content, run):
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
        checkpoints=checkpoint_bytes(samples[0]["freeze"], run),
        source="records",
        samples=len(samples),
    )
    return cost, opened


def checkpoint_bytes(freeze: Any, run: Resolved) -> int:
    """Size of two checkpoints in float32: each weight, and two moments of each that learns."""
    if run.training is None or not freeze:
        return 0
    learnable, frozen = (_stored(freeze[part]) for part in ("learnable", "frozen"))
    return int(2 * 4 * (3 * learnable + frozen))


def _stored(tensors: Any) -> int:
    """Numbers in memory, which an LC-block's execution makes fewer than it stands for."""
    stored = tensors.get("stored")
    return int(tensors["count"] if stored is None else stored)


def _same_hardware(content: dict[str, Any], run: Resolved) -> bool:
    environment = content["environment"]
    if environment.get("device") != run.device.split(":")[0]:
        return False
    if run.device.startswith("cuda"):
        names = hardware.gpu_names()
        return not names or environment.get("gpu") in names
    return bool(environment.get("cpu") == hardware.cpu_name())


def _size(path: Path) -> int:
    """Size of a record and of the pictures in the folder beside it."""
    total = path.stat().st_size
    folder = path.with_suffix("")
    if folder.is_dir():
        total += sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
    return total
