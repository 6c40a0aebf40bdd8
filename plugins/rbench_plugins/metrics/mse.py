"""Mean squared error of reconstructions."""

from __future__ import annotations

from pydantic import Field

from rbench import ImagesOutcome, Metric, Options


class MseOptions(Options):
    """Options of ``mse``."""

    controls: bool = Field(True, description="measure a blur, the mean image, permuted pixels too")


COMPONENT = Metric(
    name="mse",
    summary="Mean squared error per value of images in [0, 1].",
    measure="rbench_plugins.metrics.functions.mse:measure",
    reads=ImagesOutcome,
    options=MseOptions,
)
