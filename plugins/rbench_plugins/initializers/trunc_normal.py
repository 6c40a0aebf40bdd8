"""A normal distribution without its tails, as timm starts its transformers."""

from __future__ import annotations

from pydantic import Field

from rbench import Initializer, Options


class TruncNormalOptions(Options):
    """Options of ``trunc_normal``."""

    std: float | None = Field(
        0.02, gt=0, description="standard deviation before the cut; none: 1/sqrt(fan_in)"
    )
    cutoff: float = Field(
        2.0, gt=0, description="values are cut at plus and minus this many standard deviations"
    )


COMPONENT = Initializer(
    name="trunc_normal",
    summary="Normal without its tails: N(0, std^2) cut at plus and minus cutoff std.",
    draw="rbench_plugins.initializers.functions.trunc_normal:draw",
    options=TruncNormalOptions,
)
