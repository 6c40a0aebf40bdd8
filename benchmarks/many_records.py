"""`rbench plan` and `rbench leaderboard` over 100,000 records: seconds and memory.

    python benchmarks/many_records.py

The records are synthetic, of the size of real ones. Planned is a suite of 100 configurations
under 1,000 seeds, of which the last 500 are missing. Leaderboards (CSV, markdown and the page) are
made of those, and of 25,000 configurations under four seeds over ten protocols, which is the hard
case. Each command is a fresh process that finds the files in the system's cache. Memory is the
largest sum of the proportional shares (PSS) of it and its forks, looked at five times a second.
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
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
SUITE = """
summary = "Many cells."
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
    """Write a done record for all cells but the last :data:`MISSING`; the number of cells."""
    from rbench import hardware
    from rbench.plugin.catalog import Catalog
    from rbench.records.record import MetricValue, Record, to_json
    from rbench.spec.suite_spec import read_suite
    from rbench.sweep.job import RunJob
    from rbench.sweep.survey import resolve_each

    cells, _ = resolve_each(read_suite(str(suite)).cells(), Catalog.from_environment())
    output.mkdir()
    tensors = {"count": 370_000, "names": [f"layer.{i}.weight" for i in range(60)]}
    templates: dict[str, tuple[str, str]] = {}
    for place, cell in enumerate(cells[: len(cells) - MISSING]):
        kind = json.dumps({**cell.identity, "seed": None})
        if kind not in templates:
            content = RunJob.of(cell).failed("", "").model_dump(mode="json")
            top1 = MetricValue(name="top1", value=50.0625, unit="%", higher_is_better=True)
            content |= {"status": "done", "error": None, "seconds": 2.0}
            content |= {"freeze": {"policy": ["none"], "learnable": tensors, "frozen": tensors}}
            content |= {"environment": {"device": "cpu", "cpu": hardware.cpu_name()}}
            content |= {"metrics": [top1.model_dump()]}
            templates[kind] = cell.digest, to_json(Record.model_validate(content))
        digest, text = templates[kind]
        text = text.replace(digest, cell.digest).replace("50.0625", str(place % 977 / 10))
        text = re.sub('"seed": [0-9]+', f'"seed": {cell.spec.seed}', text)
        (output / f"{cell.slug}.json").write_text(text)
    return len(cells)


def measure(words: list[str]) -> tuple[bytes, dict[str, Any]]:
    """What ``rbench WORDS`` prints, and what it takes."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    peak = 0
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen([sys.executable, "-m", "rbench", *words], stdout=printed)
        while process.poll() is None:
            peak = max(peak, sum(map(share, family(process.pid))))
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
    """Read all files, so that the disk is not what is measured."""
    for path in folder.rglob("*.json"):
        path.read_bytes()


def family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(member for child in children for member in family(int(child)))]


def share(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


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
