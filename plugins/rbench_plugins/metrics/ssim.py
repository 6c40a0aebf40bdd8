"""Structural similarity as P1 takes it: grey, inverted where negative (section 4)."""

from __future__ import annotations

from pydantic import Field

from rbench import ImagesOutcome, Metric, Options


class SsimOptions(Options):
    """Options of ``ssim``."""

    controls: bool = Field(True, description="measure a blur, the mean image, permuted pixels too")
    nearest: int = Field(
        4,
        ge=0,
        description="number of images to save the output nearest to the mean of (P1 Fig 8)",
    )


COMPONENT = Metric(
    name="ssim",
    summary="Structural similarity on gray images, inverted where negative (P1).",
    measure="rbench_plugins.metrics.functions.ssim:measure",
    reads=ImagesOutcome,
    options=SsimOptions,
)
