"""Two data-parallel processes on two cores against one process that uses both.

    python benchmarks/two_processes.py

Trains ResNet-20 on digits through ``rbench run``, in turns; the rate is that of the record's
training phase, in images a second over all processes, and the ratio the median over rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def rate(processes: int, threads: int, model: str, epochs: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        words = ["run", "--model", model, "--dataset", "digits", "--device", "cpu"]
        words += ["--epochs", str(epochs), "-b", "64", "--metrics", "top1", "--output", folder]
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        command = [sys.executable, *(launch if processes > 1 else []), "-m", "rbench", *words]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        (path,) = Path(folder).glob("*.json")
        record = json.loads(path.read_text())
        assert record["environment"]["processes"] == processes
        (phase,) = (p for p in record["timing"] if p["name"] == "train")
        return float(phase["images_per_second"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="resnet_cifar_20_16")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = [
        (rate(1, 2, options.model, options.epochs), rate(2, 1, options.model, options.epochs))
        for _ in range(options.rounds)
    ]
    print(
        json.dumps(
            {
                "model": options.model,
                "one process, two threads, images/s": [one for one, _ in rounds],
                "two processes, one thread each, images/s": [two for _, two in rounds],
                "ratio, median": round(statistics.median(two / one for one, two in rounds), 2),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
