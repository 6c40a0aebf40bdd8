"""What curves and a tracker cost the training loop, as a ratio, measured in turns in one run.

    python benchmarks/tracking.py [--model resnet18] [--steps 10] [--rounds 5]

Each round trains the same network for the same steps three times: as it is, with a point of a
curve after every epoch (the evaluation itself is empty: what it costs is the user's choice), and
with TensorBoard besides, logging every step, which is more often than it ever does. Processor
time of the whole process is compared, the tracker's thread included. To pass: at most 1 % more.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from time import process_time

import torch
from overhead import BATCH, data, network
from torch import nn

EPOCHS = 2


def once(name: str, steps: int, *, curves: bool, tracker: bool) -> float:
    """Seconds of processor time for one training."""
    from accelerate import Accelerator

    import rbench as rb
    from rbench.plugin.catalog import Catalog
    from rbench.plugin.contexts import Probe, TaskContext
    from rbench.records.record import MetricValue
    from rbench.runner.tracking import Tracking
    from rbench.spec.resolve import resolve

    pixels, labels = data(BATCH * steps)
    images = rb.ImageData(
        name="digits32",
        revision="",
        in_chans=3,
        img_size=(32, 32),
        train=rb.MemoryImages(pixels, labels),
        class_names=[str(i) for i in range(10)],
    )
    training = rb.Training(epochs=EPOCHS, batch_size=BATCH, lr=0.01, amp=False)
    classifier = rb.Normalized(network(name), (0.5,) * 3, (0.5,) * 3)
    criterion = nn.CrossEntropyLoss()

    def loss(module: nn.Module, batch: rb.Batch) -> torch.Tensor:
        return criterion(module(batch.images), batch.labels)

    def measure(outcome: rb.Outcome) -> list[MetricValue]:
        return [MetricValue(name="some", value=1.0)]

    probe = Probe(split="test", every=1, measure=measure)
    tracked = ("tensorboard",) if tracker else ()
    resolved = resolve(rb.RunSpec(model="test_resnet", track=tracked), Catalog.from_environment())
    with tempfile.TemporaryDirectory() as folder:
        accelerator = Accelerator(cpu=True)
        tracking = Tracking(resolved, Path(folder), print, every=0.0)
        context = TaskContext(
            network=classifier,
            data=images,
            training=training,
            seed=0,
            accelerator=accelerator,
            probes=(probe,) if curves else (),
            tracking=tracking,
        )
        batches = rb.training_batches(images, training, seed=0, device=torch.device("cpu"))
        start = process_time()
        rb.train(classifier, batches, loss, context, lambda split: rb.Outcome(network=classifier))
        spent = process_time() - start
        for thread in tracking.threads:
            thread.jobs.put(None)
            thread.join(60)
    return spent


def main() -> None:
    """Print the ratios; exit code 1 where curves and tracker cost more than 1 %."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    once(asked.model, 2, curves=True, tracker=True)
    ratios: dict[str, list[float]] = {"curves": [], "curves and tensorboard": []}
    for _ in range(asked.rounds):
        plain = once(asked.model, asked.steps, curves=False, tracker=False)
        for name, tracker in (("curves", False), ("curves and tensorboard", True)):
            spent = once(asked.model, asked.steps, curves=True, tracker=tracker)
            ratios[name].append(spent / plain)
    for name, found in ratios.items():
        low, middle, high = min(found), statistics.median(found), max(found)
        print(f"{name}: {middle:.4f} of the plain loop ({low:.4f} to {high:.4f})")
    sys.exit(any(statistics.median(found) > 1.01 for found in ratios.values()))


if __name__ == "__main__":
    main()
