"""Convolution-aware weights (Aghajanyan, arXiv 1702.06295): nearly orthogonal spectra."""

from __future__ import annotations

from pydantic import Field

from rbench import Initializer, Options


class ConvAwareOptions(Options):
    """Options of ``conv_aware``."""

    noise: float = Field(
        0.05, ge=0, description="standard deviation added to every tap before the scaling"
    )


COMPONENT = Initializer(
    name="conv_aware",
    summary="Channels of a filter have nearly orthogonal spectra; variance 2/fan_in.",
    draw="rbench_plugins.initializers.functions.conv_aware:draw",
    options=ConvAwareOptions,
)
