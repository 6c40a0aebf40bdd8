"""Peak signal-to-noise ratio of reconstructions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from rbench import ImagesOutcome, Metric, MetricContext, MetricValue, Options

if TYPE_CHECKING:
    from torch import Tensor


class PsnrOptions(Options):
    """Options of ``psnr``."""

    controls: bool = Field(True, description="measure a blur, the mean image, permuted pixels too")


def measure(
    outcome: ImagesOutcome, context: MetricContext, options: PsnrOptions
) -> Iterator[MetricValue]:
    """Decibels, the mean over images; where the output is grey, so is the input."""
    from rbench_plugins.images.scores import ScoreInfo, metric_values

    def score(image: Tensor, target: Tensor) -> Tensor:
        from torchmetrics.functional.image import peak_signal_noise_ratio

        return peak_signal_noise_ratio(
            image, target, data_range=1.0, dim=(1, 2, 3), reduction="none"
        )

    yield from metric_values(
        outcome, score, ScoreInfo("psnr", "dB", True), context.seed, options.controls
    )


COMPONENT = Metric(
    name="psnr",
    summary="Peak signal-to-noise ratio of images in [0, 1].",
    measure=measure,
    reads=ImagesOutcome,
    options=PsnrOptions,
)
