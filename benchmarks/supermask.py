"""A training step of supermask networks as a share of the plain network's speed.

    nice -n 15 python benchmarks/supermask.py                    # ResNet-20-16, batch 128
    python benchmarks/supermask.py --base resnet18 --batch 32

Plain network and masks take turns in one process, so that whatever else the machine does slows
both; the ratio is of the medians over all rounds. Target: at least 0.8.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from rbench_plugins.architectures import bases, supermask
from torch import nn

from rbench import BuildContext, generator, global_seed


def networks(base: str, classes: int) -> dict[str, nn.Module]:
    """The plain network and its masked forms."""
    context = BuildContext(num_classes=classes)
    with global_seed(0):
        built = {"plain": bases.build(base, {}, context)}
        for name, options in (
            ("edge_popup", {"keep": 0.5}),
            ("bernoulli", {"mask": "bernoulli"}),
        ):
            given = supermask.SupermaskOptions.model_validate({"base": base, **options})
            built[name] = supermask.COMPONENT.build(context, given)
    return built


def main() -> None:
    """Print a line per network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="resnet_cifar_20_16")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--bfloat16", action="store_true")
    arguments = parser.parse_args()
    images = torch.rand(arguments.batch, 3, 32, 32, generator=generator(0, "images"))
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.arange(arguments.batch) % 10
    built = networks(arguments.base, 10)
    optimizers = {}
    for name, network in built.items():
        network.to(memory_format=torch.channels_last)
        learning = [p for p in network.parameters() if p.requires_grad]
        optimizers[name] = torch.optim.SGD(learning, 0.1, momentum=0.9, weight_decay=1e-4)
    seconds: dict[str, list[float]] = {name: [] for name in built}
    for number in range(arguments.rounds + 2):
        for name, network in built.items():
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bfloat16):
                loss = nn.functional.cross_entropy(network(images), labels)
            optimizers[name].zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizers[name].step()
            if number >= 2:
                seconds[name].append(time.perf_counter() - start)
    plain = statistics.median(seconds["plain"])
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:12s} {median * 1e3:8.1f} ms a step, {plain / median:.2f} of the plain speed")


if __name__ == "__main__":
    main()
