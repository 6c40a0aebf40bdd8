"""Measures what ``metrics/corruptions.py`` describes."""

from __future__ import annotations

import math

import torch
from pydantic import JsonValue
from torch import Tensor

from rbench import ClassificationOutcome, MetricContext, MetricValue
from rbench_plugins.corruptions.evaluate import evaluate, made, read
from rbench_plugins.corruptions.make import corrupt
from rbench_plugins.corruptions.published import PublishedCorruptions
from rbench_plugins.corruptions.tables import ALEXNET, NAMES
from rbench_plugins.images.grid import Tile, grid
from rbench_plugins.images.subset import evenly
from rbench_plugins.metrics.corruptions import CorruptionsOptions

IMAGENET_CLASSES, IMAGENET_PIXELS = 1000, 128


def measure(
    outcome: ClassificationOutcome, context: MetricContext, options: CorruptionsOptions
) -> list[MetricValue]:
    """``corruptions``: mean accuracy in percent over 15 corruptions and 5 severities.

    ``details.accuracy`` has the five severities of each corruption; ``details.clean`` is the
    accuracy on the same images uncorrupted. Images are made from the test set at its own size,
    with CIFAR-10-C's parameters up to 64 pixels and ImageNet-C's above, or read from ``folder``.
    For 1000 classes at ImageNet's sizes also ``mce``: the mean over corruptions of the error
    over AlexNet's published error, in percent, lower is better. A picture shows the first image
    under every corruption.
    """
    first = next(iter(outcome.test.batches(1, context.device))).images
    if options.folder is None:
        total = len(outcome.test)
    else:
        classes = outcome.logits.shape[1]
        published = PublishedCorruptions(options.folder, tuple(first.shape[1:]), classes)
        total = published.count
        if not published.are_of(outcome.labels):
            context.note(
                f"corruptions: the labels in {published.folder} are not those of the test set: "
                "other images, or the same in another order"
            )
    chosen = evenly(total, options.images)
    chosen = torch.arange(total) if chosen is None else chosen
    if options.folder is None:
        batches = made(outcome, context, chosen, options.seed)
    else:
        batches = read(published, context, chosen)
    context.phase.images += len(chosen) * len(NAMES) * 5
    right = evaluate(outcome, context, batches, len(chosen))
    details: dict[str, JsonValue] = {"source": "made" if options.folder is None else "published"}
    if options.folder is None:
        _picture(context, outcome, options.seed)
        clean = (outcome.logits.argmax(1) == outcome.labels)[chosen]
        details["clean"] = 100 * float(clean.double().mean())
    shares = 100 * right.double().mean(0)
    details["accuracy"] = {
        name: [round(value, 4) for value in row.tolist()]
        for name, row in zip(NAMES, shares, strict=True)
    }
    values = [_mean(right, details)]
    if outcome.logits.shape[1] == IMAGENET_CLASSES and min(first.shape[-2:]) >= IMAGENET_PIXELS:
        values.append(mce(shares, len(right)))
    return values


def mce(accuracies: Tensor, n: int) -> MetricValue:
    """Mean corruption error of accuracies (15, 5) in percent: equation 1 of section 4.1."""
    errors = (100 - accuracies).mean(1).tolist()
    ratios = {name: error / ALEXNET[name] for name, error in zip(NAMES, errors, strict=True)}
    return MetricValue(
        name="mce",
        value=sum(ratios.values()) / len(ratios),
        unit="% of AlexNet's error",
        higher_is_better=False,
        n=n,
        details={name: round(ratio, 4) for name, ratio in ratios.items()},
    )


def _mean(right: Tensor, details: dict[str, JsonValue]) -> MetricValue:
    per_image = 100 * right.double().flatten(1).mean(1)
    n = len(right)
    return MetricValue(
        name="corruptions",
        value=float(per_image.mean()),
        unit="%",
        higher_is_better=True,
        n=n,
        uncertainty=float(per_image.std()) / math.sqrt(n) if n > 1 else None,
        uncertainty_kind="standard error over images" if n > 1 else None,
        details=details,
    )


def _picture(context: MetricContext, outcome: ClassificationOutcome, seed: int) -> None:
    """The first test image under every corruption at severities 1, 3 and 5."""
    image = next(iter(outcome.test.batches(1, context.device))).images
    rows = [
        [
            Tile(corrupt(image, name, severity, numbers=[0], seed=seed)[0], f"{name} {severity}")
            for name in NAMES
        ]
        for severity in (1, 3, 5)
    ]
    context.artifacts.save(
        "corruptions.png", grid(rows), "the first test image, corrupted in severities 1, 3 and 5"
    )
