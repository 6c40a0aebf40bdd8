"""Measures what ``metrics/mse.py`` describes."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from rbench import ImagesOutcome, MetricContext, MetricValue
from rbench_plugins.images.scores import ScoreInfo, metric_values
from rbench_plugins.metrics.mse import MseOptions


def measure(
    outcome: ImagesOutcome, context: MetricContext, options: MseOptions
) -> Iterator[MetricValue]:
    """Mean over an image's values, then over images; where the output is grey, so is the input."""

    def score(image: Tensor, target: Tensor) -> Tensor:
        return (image - target).square().mean((1, 2, 3))

    yield from metric_values(
        outcome, score, ScoreInfo("mse", "", False), context.seed, options.controls
    )
