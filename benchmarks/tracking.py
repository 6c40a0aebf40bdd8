"""What curves and a tracker cost the training loop, as a share of a step.

    python benchmarks/tracking.py [--model resnet18] [--steps 50] [--rounds 9]

What they add to a step does not depend on the network, and beside a ResNet-18 it is lost in the
noise. So it is measured where it shows: a network of one linear layer is trained for the same
steps as it is, with a point of a curve after every epoch (the evaluation itself is empty: what it
costs is the user's choice), and with TensorBoard besides, which logs every step here. The
difference for each step is divided by what a step of the model takes in the same process; that of
TensorBoard by a second where the step is shorter, since rbench logs at most one step a second.
Processor time of the whole process is compared, the tracker's thread included. To pass: at most
1 % together.
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


def once(inner: nn.Module, steps: int, *, curves: bool, tracker: bool) -> float:
    """Seconds of processor time for a step, over two epochs of ``steps`` steps."""
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
    classifier = rb.Normalized(inner, (0.5,) * 3, (0.5,) * 3)
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
    return spent / (EPOCHS * steps)


def main() -> None:
    """Print the ratios; exit code 1 where curves and tracker cost more than 1 %."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()

    def small(*, curves: bool, tracker: bool) -> float:
        linear = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10))
        return once(linear, asked.steps, curves=curves, tracker=tracker)

    small(curves=True, tracker=True)
    step = once(network(asked.model), 4, curves=False, tracker=False)
    print(f"a step of {asked.model}: {1000 * step:.0f} ms of processor time")
    added: dict[str, list[float]] = {"curves": [], "tensorboard": []}
    for _ in range(asked.rounds):
        plain = small(curves=False, tracker=False)
        with_curves = small(curves=True, tracker=False)
        added["curves"].append(with_curves - plain)
        added["tensorboard"].append(small(curves=True, tracker=True) - with_curves)
    total = 0.0
    for name, seconds in added.items():
        beside = step if name == "curves" else max(step, 1.0)
        low, middle, high = (100 * f(seconds) / beside for f in (min, statistics.median, max))
        total += middle
        print(
            f"{name}: {1e6 * statistics.median(seconds):.0f} us a step, {middle:.3f} % "
            f"({low:.3f} to {high:.3f})"
        )
    sys.exit(total > 1)


if __name__ == "__main__":
    main()
