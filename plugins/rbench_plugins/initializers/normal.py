"""Gaussian weights; P1 finds a standard deviation near 0.015 best (appendix A.1.2)."""

from __future__ import annotations

from pydantic import Field

from rbench import Initializer, Options


class NormalOptions(Options):
    """Options of ``normal``."""

    mean: float = Field(0.0, description="mean of the distribution")
    std: float = Field(0.015, gt=0, description="standard deviation (P1's rr networks: 0.1)")


COMPONENT = Initializer(
    name="normal",
    summary="Gaussian N(mean, std^2).",
    draw="rbench_plugins.initializers.functions.normal:draw",
    options=NormalOptions,
)
