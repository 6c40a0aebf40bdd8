"""Logistic weights; P1 uses Logistic(0, 0.015) (appendix A.1.2)."""

from __future__ import annotations

from pydantic import Field

from rbench import Initializer, Options


class LogisticOptions(Options):
    """Options of ``logistic``."""

    loc: float = Field(0.0, description="mean of the distribution")
    scale: float = Field(0.015, gt=0, description="scale s; the variance is (pi s)^2 / 3")


COMPONENT = Initializer(
    name="logistic",
    summary="Logistic(loc, scale).",
    draw="rbench_plugins.initializers.functions.logistic:draw",
    options=LogisticOptions,
)
