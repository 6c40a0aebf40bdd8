"""How fast each execution of an LC-block trains, beside the plain network; in turns, one run.

    python benchmarks/lc_block.py                     # float32
    python benchmarks/lc_block.py --amp               # bfloat16 autocast, channels_last
    OMP_NUM_THREADS=1 python benchmarks/lc_block.py --cpu-time   # on a machine that others use

ResNet-LC-20-16xE on 32 x 32 images, SGD with Nesterov momentum and weight decay, whole training
steps. Every round trains each form in turn, so that what else the machine does falls on all; the
ratios are medians over rounds of ratios within a round. The two convolutions are run at a batch
that fits in memory (--unfolded-batch): the maps they save at 256 take 24 GiB.

Memory is the peak of the resident set in a training step, each form in a process of its own:
"peak" is what its largest step holds above a process that has only loaded its libraries (weights
and the optimiser's state among it), "per image" the difference between the peaks of steps of all
and of half the images, over the images between.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rbench import BuildContext, generator, global_seed, peak_memory
from rbench.network.freeze import freeze
from rbench.plugin.catalog import Catalog
from rbench.runner.memory import reset_peak
from rbench.spec.freezing import freezing
from rbench.spec.run_spec import RunSpec

NAN = float("nan")


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
        freeze(network, freezing(RunSpec(model=form.model, freeze=policies), catalog))
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

    def step(self, images: int) -> None:
        """One step of training on the first so many images."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp):
            loss = nn.functional.cross_entropy(
                self.network(self.images[:images]), self.labels[:images], label_smoothing=0.1
            )
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def rate(self, steps: int) -> float:
        """Images a second over ``steps`` steps."""
        self.wait()
        start = self.clock()
        for _ in range(steps):
            self.step(self.batch)
        self.wait()
        return steps * self.batch / (self.clock() - start)

    def wait(self) -> None:
        """Until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def peak(self, images: int) -> int:
        """Bytes at the peak of one step, everything that the process holds among them."""
        reset_peak(self.device)
        self.step(images)
        self.wait()
        return peak_memory(self.device) or 0


def memory(form: Form, args: argparse.Namespace, catalog: Catalog) -> dict[str, float]:
    """Peaks of this process, in MiB; see the module's text."""
    torch.nn.functional.conv2d(torch.rand(1, 3, 8, 8), torch.rand(4, 3, 3, 3)).sum()
    reset_peak(torch.device(args.device))
    before = peak_memory(torch.device(args.device)) or 0
    trainer = Trainer(form, args, catalog)
    trainer.step(2)  # momentum
    half, whole = trainer.peak(trainer.batch // 2), trainer.peak(trainer.batch)
    between = trainer.batch - trainer.batch // 2
    return {
        "peak_mib": (whole - before) / 2**20,
        "peak_mib_per_image": (whole - half) / between / 2**20,
    }


def memory_of(name: str) -> dict[str, float]:
    """The same in a process of its own, which gives freed tensors back to the system at once."""
    command = [sys.executable, __file__, *sys.argv[1:], "--memory-of", name]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**18)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(args: argparse.Namespace) -> dict[str, Any]:
    catalog = Catalog.from_environment()
    trainers = []
    for form in forms(args.expansion, args.large):
        trainers.append(Trainer(form, args, catalog))
        print(f"built {form.name}: {trainers[-1].build_seconds:.1f} s", file=sys.stderr)
    rates: dict[str, list[float]] = {t.form.name: [] for t in trainers}
    for trainer in trainers if args.rounds else []:
        trainer.rate(1)
    for round_ in range(args.rounds):
        for trainer in trainers:
            if trainer.form.small and round_ >= args.unfolded_rounds:
                continue
            rates[trainer.form.name].append(trainer.rate(1 if trainer.form.small else args.steps))
        print(f"round {round_ + 1} of {args.rounds}", file=sys.stderr)
    peaks: dict[str, dict[str, float]] = {}
    for trainer in [] if args.no_memory else trainers:
        peaks[trainer.form.name] = memory_of(trainer.form.name)
        print(f"memory of {trainer.form.name}", file=sys.stderr)
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
                "images_per_second": median(rates[t.form.name]),
                "rates": rates[t.form.name],
                "of_plain": ratio(rates[t.form.name], rates["plain"]),
                "of_unfolded": ratio(
                    rates[t.form.name],
                    rates["unfolded, frozen" if t.form.frozen else "unfolded, learnable"],
                ),
                **peaks.get(t.form.name, {"peak_mib": NAN, "peak_mib_per_image": NAN}),
                "build_seconds": t.build_seconds,
            }
            for t in trainers
        },
    }


def median(values: list[float]) -> float:
    return statistics.median(values) if values else NAN


def ratio(rates: list[float], others: list[float]) -> float:
    return median([a / b for a, b in zip(rates, others, strict=False)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--amp", action="store_true")
    parser.add_argument("--cpu-time", action="store_true", help="processor seconds, not wall's")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--unfolded-batch", type=int, default=16)
    parser.add_argument("--unfolded-rounds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7, help="0: only memory")
    parser.add_argument("--no-memory", action="store_true", help="only rates")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--expansion", type=int, default=128)
    parser.add_argument("--large", type=int, default=2**14)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        (form,) = (f for f in forms(args.expansion, args.large) if f.name == args.memory_of)
        print(json.dumps(memory(form, args, Catalog.from_environment())))
        return
    found = measure(args)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{found['device']}, {found['precision']}, {found['threads']} threads, {found['clock']}")
    print(
        f"{'form':22}{'images/s':>10}{'of plain':>10}{'of unfolded':>13}{'peak MiB':>10}"
        f"{'MiB/image':>11}"
    )
    for name, row in found["forms"].items():
        print(
            f"{name:22}{row['images_per_second']:10.1f}{row['of_plain']:10.3f}"
            f"{row['of_unfolded']:13.1f}{row['peak_mib']:10.0f}"
            f"{row['peak_mib_per_image']:11.2f}"
        )


if __name__ == "__main__":
    main()
