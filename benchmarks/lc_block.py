"""How fast each execution of an LC-block trains, beside the plain network; in turns, one run.

    python benchmarks/lc_block.py                     # float32
    python benchmarks/lc_block.py --amp               # bfloat16 autocast, channels_last
    OMP_NUM_THREADS=1 python benchmarks/lc_block.py --cpu-time   # on a machine that others use

ResNet-LC-20-16xE on 32 x 32 images, SGD with Nesterov momentum and weight decay, whole training
steps. Every round trains each form in turn, so that what else the machine does falls on all; the
ratios are medians over rounds of ratios within a round. The two convolutions are run at a batch
that fits in memory (--unfolded-batch): the maps they save at 256 take 24 GiB.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rbench import BuildContext, generator, global_seed
from rbench.catalog import Catalog
from rbench.freeze import freeze


@dataclass(frozen=True)
class Form:
    """A network, whether its filters are frozen, and how many images a step has."""

    name: str
    model: str
    options: dict[str, Any]
    frozen: bool
    small: bool = False


def forms(expansion: int, large: int) -> list[Form]:
    lc = {"depth": 20, "width": 16, "expansion": expansion}
    return [
        Form("plain", "resnet_cifar", {}, False),
        Form("folded, frozen", "resnet_lc", {**lc, "execution": "folded"}, True),
        Form("folded, learnable", "resnet_lc", {**lc, "execution": "folded"}, False),
        Form("compact, learnable", "resnet_lc", {**lc, "execution": "compact"}, False),
        Form(f"gram x{expansion}", "resnet_lc", {**lc, "execution": "gram"}, True),
        Form(
            f"gram x{large}",
            "resnet_lc",
            {**lc, "expansion": large, "execution": "gram"},
            True,
        ),
        Form("unfolded, frozen", "resnet_lc", {**lc, "execution": "unfolded"}, True, small=True),
        Form(
            "unfolded, learnable", "resnet_lc", {**lc, "execution": "unfolded"}, False, small=True
        ),
    ]


class Trainer:
    """A form that can take steps."""

    def __init__(self, form: Form, args: argparse.Namespace, catalog: Catalog) -> None:
        self.form, self.amp, self.device = form, args.amp, torch.device(args.device)
        self.clock = time.process_time if args.cpu_time else time.perf_counter
        policies = ("spatial",) if form.frozen else ("none",)
        architecture = catalog.architecture(form.model)
        start = time.perf_counter()
        with global_seed(0, "weights"):
            context = BuildContext(seed=0, freeze=policies)
            network = architecture.build(context, architecture.options(**form.options))
        self.build_seconds = time.perf_counter() - start
        freeze(network, policies)
        layout = torch.channels_last if args.amp else torch.contiguous_format
        self.network: nn.Module = network.to(self.device).to(memory_format=layout)  # type: ignore[call-overload]
        self.batch = args.unfolded_batch if form.small else args.batch
        draws = generator(0, "images")
        images = torch.rand(self.batch, 3, 32, 32, generator=draws).to(self.device)
        self.images = images.contiguous(memory_format=layout)
        self.labels = torch.randint(0, 10, (self.batch,), generator=draws).to(self.device)
        self.optimizer = torch.optim.SGD(
            [p for p in network.parameters() if p.requires_grad],
            lr=0.01,
            momentum=0.9,
            nesterov=True,
            weight_decay=0.01,
        )

    def rate(self, steps: int) -> float:
        """Images a second over ``steps`` steps."""
        self.wait()
        start = self.clock()
        for _ in range(steps):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp):
                loss = nn.functional.cross_entropy(
                    self.network(self.images), self.labels, label_smoothing=0.1
                )
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
        self.wait()
        return steps * self.batch / (self.clock() - start)

    def wait(self) -> None:
        """Until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def memory(self) -> float:
        """Bytes an image that autograd keeps for the backward pass, MiB."""
        from rbench_plugins.metrics.cost import saved_bytes

        self.network.train()
        images = self.images[:1].expand(4, -1, -1, -1)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp):
            larger, smaller = (saved_bytes(self.network, images[:n]) for n in (4, 2))
        return (larger - smaller) / 2 / 2**20


def measure(args: argparse.Namespace) -> dict[str, Any]:
    catalog = Catalog.from_environment()
    trainers = []
    for form in forms(args.expansion, args.large):
        trainers.append(Trainer(form, args, catalog))
        print(f"built {form.name}: {trainers[-1].build_seconds:.1f} s", file=sys.stderr)
    rates: dict[str, list[float]] = {t.form.name: [] for t in trainers}
    for trainer in trainers:
        trainer.rate(1)
    for round_ in range(args.rounds):
        for trainer in trainers:
            if trainer.form.small and round_ >= args.unfolded_rounds:
                continue
            rates[trainer.form.name].append(trainer.rate(1 if trainer.form.small else args.steps))
        print(f"round {round_ + 1} of {args.rounds}", file=sys.stderr)
    return {
        "device": args.device,
        "precision": "bfloat16, channels_last" if args.amp else "float32",
        "clock": "processor seconds" if args.cpu_time else "wall seconds",
        "threads": torch.get_num_threads(),
        "batch": args.batch,
        "unfolded_batch": args.unfolded_batch,
        "torch": torch.__version__,
        "forms": {
            t.form.name: {
                "images_per_second": statistics.median(rates[t.form.name]),
                "rates": rates[t.form.name],
                "of_plain": ratio(rates[t.form.name], rates["plain"]),
                "of_unfolded": ratio(
                    rates[t.form.name],
                    rates["unfolded, frozen" if t.form.frozen else "unfolded, learnable"],
                ),
                "saved_mib_per_image": t.memory(),
                "build_seconds": t.build_seconds,
            }
            for t in trainers
        },
    }


def ratio(rates: list[float], others: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(rates, others, strict=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--amp", action="store_true")
    parser.add_argument("--cpu-time", action="store_true", help="processor seconds, not wall's")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--unfolded-batch", type=int, default=16)
    parser.add_argument("--unfolded-rounds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--expansion", type=int, default=128)
    parser.add_argument("--large", type=int, default=2**14)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found = measure(args)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{found['device']}, {found['precision']}, {found['threads']} threads, {found['clock']}")
    print(f"{'form':22}{'images/s':>10}{'of plain':>10}{'of unfolded':>13}{'MiB/image':>11}")
    for name, row in found["forms"].items():
        print(
            f"{name:22}{row['images_per_second']:10.1f}{row['of_plain']:10.3f}"
            f"{row['of_unfolded']:13.1f}{row['saved_mib_per_image']:11.2f}"
        )


if __name__ == "__main__":
    main()
