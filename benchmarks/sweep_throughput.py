"""A sweep of 40 small runs against a shell loop over `rbench run`, and against one process.

    python benchmarks/sweep_throughput.py                   # in turns, medians over three rounds
    python benchmarks/sweep_throughput.py --shell-runs 40   # the whole loop, not a part of it

Every run evaluates an untrained network of timm on digits, so that starting up weighs most: the
hard case for a harness. By hand is a Python loop over rbench.run in one process: as a user would
write it, with one thread and with as many as the sweep has slots; and with what was imported kept
off the garbage collector, as the sweep's workers do it. The fastest of the three counts. Reported
are wall seconds and seconds of processor time (the latter for a machine that others use).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

MODELS = ("test_resnet", "test_byobnet")
SUITE = """
summary = "Untrained runs."
seeds = {seeds}
[base]
dataset = "digits"
metrics = ["top1"]
task_kwargs = {{ train = false }}
[[grid]]
model = {models}
"""
WAYS = ((1, False), (None, False), (1, True))
"""By hand: threads (none: the sweep's slots), and whether imports are kept off the collector."""
HAND = """
import gc
import sys
import rbench
if {frozen}:
    import timm
    import rbench.runner.execute
    gc.collect()
    gc.freeze()
for model in {models}:
    rbench.run(model, dataset="digits", metrics=("top1",), task_kwargs={{"train": False}},
               device="cpu", seeds={seeds}, output=sys.argv[1])
"""


def timed(commands: Sequence[Sequence[str]], threads: int) -> tuple[float, float]:
    """Wall and processor seconds of ``commands``, one after another, with all their processes.

    The processor time is sampled, because a sweep does not wait for the processes that it ends.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    used: dict[tuple[int, float], float] = {}
    begun = time.monotonic()
    with tempfile.TemporaryFile() as printed:
        for command in commands:
            started = subprocess.Popen(command, stdout=printed, stderr=printed, env=environment)
            root = psutil.Process(started.pid)
            while started.poll() is None:
                with contextlib.suppress(psutil.Error):
                    for process in (root, *root.children(recursive=True)):
                        with contextlib.suppress(psutil.Error):
                            own = process.cpu_times()
                            used[process.pid, process.create_time()] = own.user + own.system
                time.sleep(0.05)
            assert started.returncode == 0
    return time.monotonic() - begun, sum(used.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--shell-runs", type=int, default=4, help="of the loop; scaled to all")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    seeds = options.runs // len(MODELS)
    rounds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            suite = folder / "suite.toml"
            suite.write_text(SUITE.format(seeds=seeds, models=json.dumps(MODELS)))
            python = [sys.executable, "-m", "rbench"]
            sweep = [*python, "sweep", str(suite), "--device", "cpu", "--output"]
            slots = ["--slots", str(options.slots), "--threads", "1"]
            swept = timed([[*sweep, str(folder / "sweep"), *slots]], 1)
            assert len(list((folder / "sweep").glob("*.json"))) == options.runs
            by_hand = []
            for number, (threads, frozen) in enumerate(WAYS):
                text = HAND.format(models=MODELS, seeds=seeds, frozen=frozen)
                output = folder / f"hand{number}"
                hand = [sys.executable, "-c", text, str(output)]
                by_hand.append(timed([hand], threads or options.slots))
                assert len(list(output.glob("*.json"))) == options.runs
            run = [*python, "run", "--model", MODELS[0], "--dataset", "digits", "--device", "cpu"]
            run += ["--task-kwargs", "train=false", "--metrics", "top1"]
            run += ["--output", str(folder / "shell")]
            loop = [[*run, "--seed", str(seed)] for seed in range(options.shell_runs)]
            scale = options.runs / options.shell_runs
            wall, used = timed(loop, 1)
        best = (min(wall for wall, _ in by_hand), min(used for _, used in by_hand))
        rounds.append((swept, best, (wall * scale, used * scale), *by_hand))
    ratios = {
        f"{what}, {unit}": round(statistics.median(r[other][i] / r[0][i] for r in rounds), 2)
        for other, what in ((2, "shell loop / sweep"), (1, "one process by hand / sweep"))
        for i, unit in enumerate(("wall", "processor time"))
    }
    names = ["sweep", "by hand, the fastest", "shell loop, scaled"]
    names += ["by hand, one thread", "by hand, all threads", "by hand, one thread, frozen"]
    seconds = {n: [tuple(round(s, 1) for s in r[i]) for r in rounds] for i, n in enumerate(names)}
    print(json.dumps({"runs": options.runs, "seconds (wall, processor)": seconds, **ratios}))


if __name__ == "__main__":
    main()
