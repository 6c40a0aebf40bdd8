"""`rbench plan` and `rbench leaderboard` over 100,000 records: seconds and memory.

    python benchmarks/many_records.py

The records are synthetic, of the size of real ones. The plan is that of a suite of 100
configurations under 1,000 seeds, of which the last 500 runs are missing. Leaderboards (CSV,
markdown and the page) are made of those, and of 25,000 configurations under four seeds over ten
protocols, which is the hard case. Each command is a new process that finds the files in the
system's cache. Memory is the largest sum of the proportional set sizes (PSS) of the process and
its forks, sampled five times a second.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
SUITE = """
summary = "Many runs."
seeds = {seeds}
[base]
dataset = "digits"
model = "test_resnet"
device = "cpu"
[[grid]]
"training.epochs" = {epochs}
"""
MISSING = 500


def fill(suite: Path, output: Path) -> int:
    """Write a record for all runs but the last :data:`MISSING`; returns the number of runs."""
    from rbench import hardware
    from rbench.plugin.catalog import Catalog
    from rbench.records.record import MetricValue, Record, to_json
    from rbench.spec.suite_spec import read_suite
    from rbench.sweep.job import RunJob
    from rbench.sweep.survey import resolve_each

    runs, _ = resolve_each(read_suite(str(suite)).runs(), Catalog.from_environment())
    output.mkdir()
    tensors = {"count": 370_000, "names": [f"layer.{i}.weight" for i in range(60)]}
    templates: dict[str, tuple[str, str]] = {}
    for place, run in enumerate(runs[: len(runs) - MISSING]):
        kind = json.dumps({**run.identity, "seed": None})
        if kind not in templates:
            content = RunJob.of(run).failed("", "").model_dump(mode="json")
            top1 = MetricValue(name="top1", value=50.0625, unit="%", higher_is_better=True)
            content |= {"status": "done", "error": None, "seconds": 2.0}
            content |= {"freeze": {"policy": ["none"], "learnable": tensors, "frozen": tensors}}
            content |= {"environment": {"device": "cpu", "cpu": hardware.cpu_name()}}
            content |= {"metrics": [top1.model_dump()]}
            templates[kind] = run.digest, to_json(Record.model_validate(content))
        digest, text = templates[kind]
        text = text.replace(digest, run.digest).replace("50.0625", str(place % 977 / 10))
        text = re.sub('"seed": [0-9]+', f'"seed": {run.spec.seed}', text)
        (output / f"{run.slug}.json").write_text(text)
    return len(runs)


def measure(words: list[str]) -> tuple[bytes, dict[str, Any]]:
    """What ``rbench WORDS`` prints, and its time and memory."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    peak = 0
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen([sys.executable, "-m", "rbench", *words], stdout=printed)
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, share(watched))
            time.sleep(0.2)
        seconds = time.monotonic() - begun
        assert process.returncode == 0
        printed.seek(0)
        said = printed.read()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    facts = {"seconds": round(seconds, 1), "processor seconds": round(used, 1)}
    return said, {**facts, "peak MiB": round(peak / 2**20)}


def warm(folder: Path) -> None:
    """Read all files, so that the speed of the disk is not measured."""
    for path in folder.rglob("*.json"):
        path.read_bytes()


def share(process: psutil.Process) -> int:
    """Bytes of the process and its children, of shared pages their share."""
    total = 0
    with suppress(psutil.Error):
        for member in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += member.memory_full_info().pss
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="make the records here, or find them here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        folder.mkdir(exist_ok=True)
        suite, records, wide = folder / "suite.toml", folder / "records", folder / "wide"
        suite.write_text(SUITE.format(seeds=options.records // 100, epochs=list(range(1, 101))))
        if not records.exists():
            fill(suite, records)
        if not wide.exists():
            from leaderboard import write_records

            write_records(wide, options.records, 10)
        os.sync()
        warm(records)
        words = ["plan", str(suite), "--output", str(records), "--json", "--pilots", "0"]
        said, facts = measure(words)
        plan = json.loads(said)
        assert plan["missing"] == MISSING
        assert plan["done"] == options.records - MISSING
        print(json.dumps({"plan": facts}), flush=True)
        for made in (records, wide):
            board = Path(name) / f"board-{made.name}"
            warm(made)
            _, facts = measure(["leaderboard", str(made), "--output", str(board)])
            assert (board / "index.html").stat().st_size
            print(json.dumps({f"leaderboard of {made.name}": facts}), flush=True)


if __name__ == "__main__":
    main()
