"""Peak signal-to-noise ratio of reconstructions."""

from __future__ import annotations

from pydantic import Field

from rbench import ImagesOutcome, Metric, Options


class PsnrOptions(Options):
    """Options of ``psnr``."""

    controls: bool = Field(True, description="measure a blur, the mean image, permuted pixels too")


COMPONENT = Metric(
    name="psnr",
    summary="Peak signal-to-noise ratio of images in [0, 1].",
    measure="rbench_plugins.metrics.functions.psnr:measure",
    reads=ImagesOutcome,
    options=PsnrOptions,
)
