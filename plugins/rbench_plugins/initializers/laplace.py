"""Laplace weights; P1 uses Laplace(0, lambda = 0.015) (appendix A.1.2)."""

from __future__ import annotations

from pydantic import Field

from rbench import Initializer, Options


class LaplaceOptions(Options):
    """Options of ``laplace``."""

    loc: float = Field(0.0, description="mean of the distribution")
    scale: float = Field(0.015, gt=0, description="scale lambda; the variance is 2 lambda^2")


COMPONENT = Initializer(
    name="laplace",
    summary="Laplace(loc, scale).",
    draw="rbench_plugins.initializers.functions.laplace:draw",
    options=LaplaceOptions,
)
