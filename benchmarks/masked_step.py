"""A training step of which half of each tensor is frozen, as a share of the plain step's speed.

    OMP_NUM_THREADS=1 nice -n 15 python benchmarks/masked_step.py --cpu-time
    python benchmarks/masked_step.py --model resnet18 --img-size 224 --opt adamw

The plain step, the masked one, the step of a network of which all but the classifier is frozen,
and that network's forward pass take turns in one process, so that whatever else the machine does
slows each; the ratios are of the medians over all rounds. Targets: the masked step at 0.95 of the
plain one's speed or more, and all but the classifier frozen at the speed of the forward pass.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import timm
import torch
from timm.optim import create_optimizer_v2
from torch import nn

from rbench import generator, global_seed
from rbench.network.freeze import freeze
from rbench.network.frozen import Frozen
from rbench.plugin.catalog import Catalog
from rbench.spec.freezing import freezing
from rbench.spec.run_spec import RunSpec

RULES = {"plain": ["none"], "masked": ["fraction"], "all but the head": ["all", "!head"]}


def network(model: str, rules: list[str]) -> Frozen:
    """A network of ten classes, the same weights at each call, frozen by ``rules``."""
    catalog = Catalog.from_environment()
    spec = RunSpec(model=model, freeze=tuple(rules))
    with global_seed(0):
        built = timm.create_model(model, num_classes=10)
    built.train()
    return freeze(built, freezing(spec, catalog), 0)


def step(
    frozen: Frozen, opt: str, images: torch.Tensor, labels: torch.Tensor
) -> Callable[[], None]:
    """A training step as the training loop takes it, weight decay and momentum included."""
    module = frozen.network
    optimizer = create_optimizer_v2(module, opt, lr=1e-3, weight_decay=1e-4, momentum=0.9)

    def run() -> None:
        nn.functional.cross_entropy(module(images), labels).backward()  # type: ignore[no-untyped-call]
        frozen.before_step()
        optimizer.step()
        frozen.after_step()
        optimizer.zero_grad()

    return run


def main() -> None:
    """Print a line per step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet10t")
    parser.add_argument("--img-size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--opt", default="sgd")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--cpu-time", action="store_true", help="of the process, not wall time")
    arguments = parser.parse_args()
    size = arguments.img_size
    images = torch.rand(arguments.batch, 3, size, size, generator=generator(0, "images"))
    labels = torch.arange(arguments.batch) % 10
    frozen = {name: network(arguments.model, rules) for name, rules in RULES.items()}
    turns = {name: step(one, arguments.opt, images, labels) for name, one in frozen.items()}
    still = frozen["all but the head"].network

    def forward() -> None:
        with torch.no_grad():
            still(images)

    turns["its forward pass"] = forward
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(arguments.rounds + 3):
        for name, turn in turns.items():
            start = clock()
            turn()
            if number >= 3:
                seconds[name].append(clock() - start)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in median.items():
        print(f"{name:18s} {value * 1e3:8.2f} ms")
    print(f"masked: {median['plain'] / median['masked']:.3f} of the plain step's speed")
    share = median["its forward pass"] / median["all but the head"]
    print(f"all but the head frozen: {share:.3f} of the forward pass's speed")


if __name__ == "__main__":
    main()
