"""A classifier's accuracy on every corruption in every severity."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from rbench import ClassificationOutcome, MetricContext
from rbench_plugins.corruptions.make import corrupt
from rbench_plugins.corruptions.published import PublishedCorruptions
from rbench_plugins.corruptions.tables import NAMES, SEVERITIES
from rbench_plugins.metrics.accuracy import correct

Corrupted = Callable[[str, int], Tensor]
"""(corruption, severity) -> images (B, C, H, W) in [0, 1] of a batch."""


def made(
    outcome: ClassificationOutcome, context: MetricContext, chosen: Tensor, seed: int
) -> Iterator[tuple[Tensor, Corrupted]]:
    """(labels, corrupted) for batches of the test images ``chosen``."""
    parts = chosen.split(context.batch_size)
    batches = outcome.test.batches(context.batch_size, context.device, chosen)
    for numbers, batch in zip(parts, batches, strict=True):
        assert batch.labels is not None
        images, places = batch.images, numbers.tolist()

        def corrupted(
            name: str, severity: int, images: Tensor = images, places: list[int] = places
        ) -> Tensor:
            return corrupt(images, name, severity, numbers=places, seed=seed)

        yield batch.labels, corrupted


def read(
    published: PublishedCorruptions, context: MetricContext, chosen: Tensor
) -> Iterator[tuple[Tensor, Corrupted]]:
    """The same from published files."""
    for numbers in chosen.split(context.batch_size):

        def corrupted(name: str, severity: int, numbers: Tensor = numbers) -> Tensor:
            return published.images(name, severity, numbers).to(context.device)

        yield published.labels_of(numbers).to(context.device), corrupted


@torch.no_grad()
def evaluate(
    outcome: ClassificationOutcome,
    context: MetricContext,
    batches: Iterator[tuple[Tensor, Corrupted]],
    total: int,
) -> Tensor:
    """(N, 15, 5) bool: is the image classified correctly under that corruption and severity?"""
    classifier = outcome.classifier.eval()
    right: list[Tensor] = []
    done = 0
    with torch.autocast(context.device.type, enabled=False):
        for labels, corrupted in batches:
            rows = torch.zeros(len(labels), len(NAMES), len(SEVERITIES), dtype=torch.bool)
            for column, name in enumerate(NAMES):
                for severity in SEVERITIES:
                    logits = classifier(corrupted(name, severity))
                    rows[:, column, severity - 1] = correct(logits, labels, 1).cpu()
                done += len(labels)
                context.progress("corruptions", done, total * len(NAMES))
            right.append(rows)
    return torch.cat(right)
