"""Measure what a run will cost: a few steps and a few test images, in a process of their own.

``python -m rbench.sweep.pilot`` reads a job from standard input. It executes the run on a sample
and scales each phase: training by its number of steps, everything after it by the number of test
images; loading the data and building the network are not scaled. A first sample with few test
images warms up; where a run without training takes long on it already, its time is the measure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace

from rbench.plugin.catalog import Catalog
from rbench.spec.resolve import resolve
from rbench.sweep.environment import child_environment
from rbench.sweep.job import RunJob
from rbench.sweep.plan import Cost, checkpoint_bytes

STEPS = 3
IMAGES = 64
WARM_UP_IMAGES = 4
LONG = 10.0
"""Seconds that a run without training may take on the first sample and still get a second."""
FIXED = ("data", "build")
RECORD_BYTES = 6000


def pilot(job: RunJob, threads: int = 1, seconds: float = 600.0) -> Cost | None:
    """The cost of a run by a pilot in a subprocess; None if that failed or took too long."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "rbench.sweep.pilot"],
            input=job.model_dump_json().encode(),
            capture_output=True,
            timeout=seconds,
            env=child_environment(threads),
        )
        return Cost(**json.loads(done.stdout.splitlines()[-1])) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        return None


def measure(job: RunJob) -> Cost:
    """Execute the pilot in this process. RuntimeError if the run fails on its sample."""
    from rbench.runner.execute import Execution, execute
    from rbench.runner.load_data import open_data

    resolved = resolve(job.run_spec(), Catalog.from_environment())
    data, _ = open_data(resolved)
    training, spec = resolved.training, resolved.spec
    steps = scale = 1.0
    sample = resolved
    if training is not None and data.train is not None:
        images = len(data.train) if spec.limit is None else min(spec.limit, len(data.train))
        steps = images // training.batch_size * training.epochs
        short = min(images, STEPS * training.batch_size)
        sample = replace(
            resolved,
            spec=spec.model_copy(update={"limit": short}),
            training=training.model_copy(update={"epochs": 1}),
        )
        scale = steps / max(1, short // training.batch_size)
    tests = 1 if data.test is None else len(data.test)
    for images in (WARM_UP_IMAGES, IMAGES):
        record = execute(sample, Execution(test_images=images))
        if record.status == "done" and training is None and record.seconds >= LONG:
            break
    if record.status != "done":
        raise RuntimeError(record.error)
    factors = dict.fromkeys(FIXED, 1.0) | {"train": scale}
    others = tests / min(tests, images)
    seconds = sum(p.seconds * factors.get(p.name, others) for p in record.timing)
    assert record.freeze is not None
    # What a few test images take is less than what all of them take.
    few = images < min(tests, IMAGES)
    return Cost(
        seconds=round(seconds, 3),
        memory=None if few else record.peak_memory_bytes,
        disk=RECORD_BYTES,
        checkpoints=checkpoint_bytes(record.freeze.model_dump(), resolved),
        source="pilot",
        samples=1,
    )


if __name__ == "__main__":
    print(json.dumps(asdict(measure(RunJob.model_validate_json(sys.stdin.read())))))
