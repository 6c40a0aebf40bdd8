"""Measures what ``metrics/psnr.py`` describes."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

from rbench import ImagesOutcome, MetricContext, MetricValue
from rbench_plugins.images.scores import ScoreInfo, metric_values
from rbench_plugins.metrics.psnr import PsnrOptions


def measure(
    outcome: ImagesOutcome, context: MetricContext, options: PsnrOptions
) -> Iterator[MetricValue]:
    """Decibels, the mean over images; where the output is grey, so is the input."""

    def score(image: Tensor, target: Tensor) -> Tensor:
        return peak_signal_noise_ratio(
            image, target, data_range=1.0, dim=(1, 2, 3), reduction="none"
        )

    yield from metric_values(
        outcome, score, ScoreInfo("psnr", "dB", True), context.seed, options.controls
    )
