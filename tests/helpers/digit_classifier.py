"""A small classifier of real digits that trains in under a second, for metrics on outcomes."""

from __future__ import annotations

from typing import Any, cast

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from rbench import ClassificationOutcome, MemoryImages, MetricContext, Outcome


class DigitClassifier(nn.Module):
    """Images (B, 1, 8, 8) in [0, 1] -> 10 logits; normalizes inside."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.conv = nn.Conv2d(1, 16, 3, padding=1)
            self.norm = nn.BatchNorm2d(16)
            self.head = nn.Linear(16 * 16, 10)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.norm(self.conv((images - 0.3) / 0.37)).relu()
        return self.head(nn.functional.max_pool2d(maps, 2).flatten(1))


def digits() -> tuple[MemoryImages, MemoryImages]:
    """1,497 images to train on and 300 to test on."""
    bunch: Any = load_digits()
    pixels = torch.tensor(bunch.images / 16 * 255).round().byte()[:, None]
    labels = torch.tensor(bunch.target)
    return MemoryImages(pixels[300:], labels[300:]), MemoryImages(pixels[:300], labels[:300])


def trained(steps: int = 150, seed: int = 0) -> DigitClassifier:
    """About 95 % test accuracy; the same weights at every call."""
    network, (train, _) = DigitClassifier(seed), digits()
    (batch,) = train.batches(len(train), torch.device("cpu"))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(seed)
    assert batch.labels is not None
    for _ in range(steps):
        at = torch.randint(len(train), (128,), generator=generator)
        loss = nn.functional.cross_entropy(network(batch.images[at]), batch.labels[at])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.zero_grad()
    return network.eval().requires_grad_(False).requires_grad_(True)


def outcome(classifier: nn.Module, test: MemoryImages, **extra: Any) -> ClassificationOutcome:
    """What the task hands to metrics, for a classifier of [0, 1] images."""
    assert test.labels is not None
    (batch,) = test.batches(len(test), torch.device("cpu"))
    with torch.no_grad():
        logits = classifier(batch.images)
    return ClassificationOutcome(
        network=classifier,
        classifier=classifier,
        test=test,
        logits=logits,
        labels=test.labels,
        **extra,
    )


def measure(component: Any, result: Outcome, **options: Any) -> tuple[list[Any], list[str]]:
    """The metric's values and notes."""
    notes: list[str] = []
    context = MetricContext(
        seed=0, device=torch.device("cpu"), accelerator=cast(Any, None), note=notes.append
    )
    return list(component.measure(result, context, component.options(**options))), notes
