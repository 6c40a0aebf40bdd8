"""Filters drawn with the covariance of trained ones (Trockman, Willmott, Kolter, 2210.03651)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from rbench import Initializer, Options


class CovarianceOptions(Options):
    """s(d) = s0 + v d + a d^2 / 2 at the relative depth d, from 0 (first layer) to 1 (last)."""

    depth: float | None = Field(
        None, ge=0, le=1, description="relative depth d of all layers; none: each layer's own"
    )
    s0: float = Field(0.16, gt=0, description="the Gaussians' variance s at the first layer")
    v: float = Field(0.32, ge=0, description="how s grows with the depth")
    a: float = Field(2.88, ge=0, description="how its growth grows")
    weights: Path | None = Field(
        None,
        description="a trained network's .safetensors (--save-weights): each layer's covariance is "
        "that of the filters there, instead of the formula's",
        exclude_if=lambda path: path is None,  # so that runs by the formula keep their digests
    )


COMPONENT = Initializer(
    name="covariance",
    summary="Depthwise filters with the covariance of trained ones, wider in deeper layers.",
    draw="rbench_plugins.initializers.functions.covariance:draw",
    options=CovarianceOptions,
    revision=2,  # 1 did not see the layer's depth
)
