"""What the harness costs: rbench's training phase against loops without it, in turns, in one run.

    python benchmarks/overhead.py [--model resnet18] [--steps 20] [--rounds 5]

Three ways to do the same work (same network, precision, batch size, crop and flip, images of
32 x 32): rbench's training phase; a bare PyTorch loop over tensors in memory, about 30 lines;
and a loop like timm's train.py, over timm's loader. Each round runs all three; what is printed
is the median over rounds of rbench's images per second over the other's. To pass: at least 0.95
of the bare loop and 1.0 of timm's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch
from torch import nn

BATCH = 128


def data(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Real images, 32 x 32: scikit-learn's digits enlarged, ``count`` of them."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = torch.tensor(digits.images / 16 * 255)[:, None].repeat(1, 3, 4, 4).byte()
    index = torch.arange(count) % len(pixels)
    return pixels[index], torch.tensor(digits.target)[index]


def network(name: str) -> nn.Module:
    """The low-resolution form of a timm model, channels last."""
    import timm

    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=10)
    if hasattr(model, "conv1"):
        model.conv1 = nn.Conv2d(3, model.conv1.out_channels, 3, padding=1, bias=False)
    return model.to(memory_format=torch.channels_last)


def precision() -> bool:
    """Whether to train in bfloat16, as rbench decides it."""
    from rbench.spec.precision import bfloat16_is_faster

    return bfloat16_is_faster("cpu")


def rbench_loop(name: str, steps: int) -> float:
    """Images a second of rbench's own training phase."""
    from accelerate import Accelerator

    import rbench as rb
    from rbench import Normalized
    from rbench.plugin.contexts import TaskContext

    pixels, labels = data(BATCH * steps)
    images = rb.ImageData(
        name="digits32",
        revision="",
        in_chans=3,
        img_size=(32, 32),
        train=rb.MemoryImages(pixels, labels),
        class_names=[str(i) for i in range(10)],
        hflip=0.5,
        crop_pad=4,
    )
    training = rb.Training(epochs=1, batch_size=BATCH, lr=0.01, amp=precision())
    accelerator = Accelerator(cpu=True, mixed_precision="bf16" if precision() else "no")
    classifier = Normalized(network(name), (0.5,) * 3, (0.5,) * 3)
    criterion = nn.CrossEntropyLoss()
    context = TaskContext(
        network=classifier, data=images, training=training, seed=0, accelerator=accelerator
    )
    batches = rb.training_batches(images, training, seed=0, device=torch.device("cpu"))
    start = perf_counter()
    rb.train(classifier, batches, lambda m, b: criterion(m(b.images), b.labels), context)
    return BATCH * steps / (perf_counter() - start)


def bare_loop(name: str, steps: int) -> float:
    """The same work by hand."""
    pixels, labels = data(BATCH * steps)
    model = network(name)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    start = perf_counter()
    model.train()
    padded = nn.functional.pad(pixels, (4, 4, 4, 4)).permute(0, 2, 3, 1).contiguous()
    span = torch.arange(32)
    for index in torch.randperm(len(pixels)).split(BATCH):
        shift = torch.randint(0, 9, (len(index), 2))
        across = torch.where(torch.rand(len(index), 1) < 0.5, span.flip(0), span)
        rows = (span + shift[:, :1])[:, :, None]
        columns = (across + shift[:, 1:])[:, None]
        images = padded[index[:, None, None], rows, columns].permute(0, 3, 1, 2)
        images = (images.float() / 255 - 0.5) / 0.5
        with torch.autocast("cpu", torch.bfloat16, enabled=precision()):
            loss = criterion(model(images), labels[index])
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return BATCH * steps / (perf_counter() - start)


class Pictures(torch.utils.data.Dataset[Any]):
    """PIL images, as timm's loader takes them."""

    def __init__(self, count: int) -> None:
        from PIL import Image

        pixels, labels = data(count)
        self.images = [Image.fromarray(p.permute(1, 2, 0).numpy()) for p in pixels]
        self.labels = labels.tolist()
        self.transform: Any = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.transform(self.images[index]), self.labels[index]


def timm_loop(name: str, steps: int) -> float:
    """A loop as in timm's train.py: its loader with two workers, random crop and flip."""
    from timm.data import create_loader

    pictures = Pictures(BATCH * steps)
    loader = create_loader(
        pictures,
        (3, 32, 32),
        BATCH,
        is_training=True,
        use_prefetcher=False,
        num_workers=2,
        train_crop_mode="rkrc",
        color_jitter=0.0,
        device=torch.device("cpu"),
    )
    model = network(name)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    start = perf_counter()
    model.train()
    for images, labels in loader:
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision()):
            loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return BATCH * steps / (perf_counter() - start)


def main() -> int:
    """Run the rounds and print the ratios; exit code 1 if one misses its mark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    loops: dict[str, Callable[[str, int], float]] = {
        "rbench": rbench_loop,
        "bare PyTorch loop": bare_loop,
        "timm loader loop": timm_loop,
    }
    for loop in loops.values():
        loop(options.model, 2)  # warm-up
    rates: dict[str, list[float]] = {label: [] for label in loops}
    for turn in range(options.rounds):
        # Every other round backwards, so that nobody always goes first.
        for label in list(loops)[:: 1 if turn % 2 == 0 else -1]:
            rates[label].append(loops[label](options.model, options.steps))
    held = True
    for label, mark in (("bare PyTorch loop", 0.95), ("timm loader loop", 1.0)):
        ratios = [a / b for a, b in zip(rates["rbench"], rates[label], strict=True)]
        ratio = statistics.median(ratios)
        held &= ratio >= mark
        print(
            f"{options.model}, batch {BATCH}: rbench {statistics.median(rates['rbench']):.0f}, "
            f"{label} {statistics.median(rates[label]):.0f} images/s, ratio {ratio:.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}), wanted {mark}"
        )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
