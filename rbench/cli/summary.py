"""The short table at the end of a run."""

from __future__ import annotations

import shlex
import statistics
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from rbench.records.record import MetricValue, Record, read
from rbench.records.titles import title
from rbench.sweep.run_or_load import RunResult

BRIEF = 0.5
"""Phases shorter than this, in seconds, are in the record only."""


def show(results: list[RunResult], output: Path, *, verbose: bool = False) -> None:
    """Print what learned, what was frozen, the numbers and the seconds; and what to type next."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for result in results:
        if result.record.status != "done":
            error = result.record.error
            said = f": {error.describe()}" if error else ""
            console.print(f"{result.record.status}{said}")
            if error and verbose:
                console.print(error.traceback)
            console.print(f"record: {result.path}")
    done = [result for result in results if result.record.status == "done"]
    if not done:
        return
    console.print(f"{title(done[0].record)} ({done[0].record.protocol_name})")
    console.print(_table([result.record for result in done]))
    for result in done:
        console.print(f"record: {result.path}")
        for artifact in result.record.artifacts:
            console.print(f"picture: {result.path.parent / artifact.file}")
    leaderboard = shlex.join(["rbench", "leaderboard", str(output)])
    verify = shlex.join(["rbench", "verify", str(done[0].path)])
    console.print(f"next: {leaderboard}   or: {verify}")


def show_record(path: Path) -> None:
    """Print what a record holds: what ran, how it ended, its numbers, data, software and notes."""
    record = read(path)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"{title(record)} ({record.protocol_name})")
    ended = record.status if record.error is None else f"{record.status}: {record.error.describe()}"
    packages = record.environment.get("packages")
    versions = packages if isinstance(packages, dict) else record.environment
    software = [f"{k} {versions[k]}" for k in ("rbench", "torch", "timm") if versions.get(k)]
    lines = {
        "status": ended,
        "seed": str(record.seed),
        "started": record.started,
        "data": _data(record),
        "recipe": str(record.resolved.get("recipe") or ""),
        "software": ", ".join(software),
        "device": " ".join(
            str(record.environment[key])
            for key in ("device", "gpu", "cpu", "precision")
            if record.environment.get(key)
        ),
        "digest": record.digest,
        "command": record.command,
    }
    for name, text in lines.items():
        if text:
            console.print(f"{name}: {text}")
    for note in record.notes:
        console.print(f"note: {note}")
    console.print(_table([record]))
    for artifact in record.artifacts:
        console.print(f"picture: {path.parent / artifact.file}")


def _data(record: Record) -> str:
    if record.data is None:
        return str(record.spec.get("dataset", ""))
    data = record.data
    size = " x ".join(map(str, data.img_size))
    counts = (("training", data.train_images), ("validation", data.val_images))
    images = [f"{n:,} {word}" for word, n in (*counts, ("test", data.test_images)) if n]
    return f"{data.name}, {size} pixels, {', '.join(images)} images"


def _table(done: list[Record]) -> Table:
    """What learned, what was frozen, the numbers and the seconds of runs that differ in seed."""
    first = done[0]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("what", overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("over", overflow="fold")
    if first.freeze is not None:
        learn, frozen = first.freeze.learnable, first.freeze.frozen
        total = learn.count + frozen.count
        if first.draw is not None:
            drawn = first.draw
            table.add_row(
                "drawn weights", f"{drawn.numbers:,}", f"{drawn.tensors} of {drawn.of} tensors"
            )
        if not first.trained:
            table.add_row("learns", f"0 of {total:,}", "nothing, untrained")
        elif first.freeze.learns:
            table.add_row("learns", f"{learn.count:,} of {total:,}", first.freeze.learns)
        for label, part in (("learnable", learn), ("frozen", frozen)) if first.trained else ():
            share = f"{100 * part.count / total:.1f} %" if total else ""
            table.add_row(
                f"{label} parameters", f"{part.count:,}", f"{len(part.names)} tensors, {share}"
            )
    for value in first.metrics:
        table.add_row(value.name, *_number(value, done))
    for phase in first.timing:
        if phase.seconds < BRIEF:
            continue
        rate = _rate(phase.images_per_second) if phase.images_per_second else ""
        table.add_row(f"{phase.name} seconds", f"{phase.seconds:.1f}", rate)
    table.add_row("seconds in all", f"{first.seconds:.1f}", "")
    return table


def _rate(images_per_second: float) -> str:
    """As "1,234 images/s", and "0.093 images/s" where an image takes long."""
    digits = ",.0f" if images_per_second >= 10 else ".2g"
    return f"{images_per_second:{digits}} images/s"


def _number(value: MetricValue, records: list[Record]) -> tuple[str, str]:
    numbers = [
        other.value
        for record in records
        for other in record.metrics
        if other.name == value.name and other.value is not None
    ]
    unit = f" {value.unit}" if value.unit else ""
    if not numbers:
        return "not finite", ""
    binomial = (value.uncertainty_kind or "").startswith("binomial")
    if binomial and set(numbers) in ({0.0}, {100.0}):
        from rbench.report.leaderboard.stats import wilson_ends

        low, high = wilson_ends(numbers[0], value.n)
        return f"{numbers[0]:.4g} [{low:.3g}, {high:.3g}]{unit}", f"n = {value.n}, Wilson 95 %"
    if len(numbers) == 1:
        spread = f" ± {value.uncertainty:.2g}" if value.uncertainty is not None else ""
        return f"{numbers[0]:.4g}{spread}{unit}", f"n = {value.n}"
    mean, std = statistics.fmean(numbers), statistics.stdev(numbers)
    return f"{mean:.4g} ± {std:.2g}{unit}", f"{len(numbers)} seeds, std"
