"""Mean squared error of reconstructions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from rbench import ImagesOutcome, Metric, MetricContext, MetricValue, Options

if TYPE_CHECKING:
    from torch import Tensor


class MseOptions(Options):
    """Options of ``mse``."""

    controls: bool = Field(True, description="measure a blur, the mean image, permuted pixels too")


def measure(
    outcome: ImagesOutcome, context: MetricContext, options: MseOptions
) -> Iterator[MetricValue]:
    """Mean over an image's values, then over images; where the output is grey, so is the input."""
    from rbench_plugins.images.scores import ScoreInfo, metric_values

    def score(image: Tensor, target: Tensor) -> Tensor:
        return (image - target).square().mean((1, 2, 3))

    yield from metric_values(
        outcome, score, ScoreInfo("mse", "", False), context.seed, options.controls
    )


COMPONENT = Metric(
    name="mse",
    summary="Mean squared error per value of images in [0, 1].",
    measure=measure,
    reads=ImagesOutcome,
    options=MseOptions,
)
