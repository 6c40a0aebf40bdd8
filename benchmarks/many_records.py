"""`rbench plan` over a folder of 100,000 records: seconds and memory of a fresh process.

    python benchmarks/many_records.py

The records are synthetic, of the size of real ones: a suite of 100 configurations under 1,000
seeds, of which the last 500 are missing. benchmarks/leaderboard.py does the same for leaderboards.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def fill(suite: Path, output: Path, missing: int) -> int:
    """Write a done record for all cells but the last ``missing``; returns the number of cells."""
    from rbench import hardware
    from rbench.catalog import Catalog
    from rbench.record import Record, to_json
    from rbench.sweep import load_suite, resolve_each
    from rbench.tickets import Ticket

    cells, _ = resolve_each(load_suite(str(suite)).cells(), Catalog.from_environment())
    output.mkdir()
    tensors = {"count": 370_000, "names": [f"layer.{i}.weight" for i in range(60)]}
    for cell in cells[: len(cells) - missing]:
        content = Ticket.of(cell).failed("", "").model_dump(mode="json")
        content |= {"status": "done", "error": None, "seconds": 2.0}
        content |= {"freeze": {"policy": ["none"], "learnable": tensors, "frozen": tensors}}
        content |= {"environment": {"device": "cpu", "cpu": hardware.cpu_name()}}
        text = to_json(Record.model_validate(content))
        (output / f"{cell.slug}.json").write_text(text)
    return len(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        suite, output = Path(name) / "suite.toml", Path(name) / "records"
        epochs = list(range(1, 101))
        suite.write_text(SUITE.format(seeds=options.records // 100, epochs=epochs))
        cells = fill(suite, output, 500)
        command = [sys.executable, "-m", "rbench", "plan", str(suite), "--output", str(output)]
        begun = time.monotonic()
        done = subprocess.run([*command, "--json", "--pilots", "0"], capture_output=True)
        seconds = time.monotonic() - begun
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        plan = json.loads(done.stdout)
        assert plan["done"] == cells - 500
        assert plan["missing"] == 500
        facts = {
            "records": plan["done"],
            "seconds": round(seconds, 1),
            "processor seconds": round(usage.ru_utime + usage.ru_stime, 1),
            "peak MiB": round(usage.ru_maxrss / 1024),
        }
        print(json.dumps(facts))


if __name__ == "__main__":
    main()
