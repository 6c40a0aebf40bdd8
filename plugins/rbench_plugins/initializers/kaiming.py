"""He et al.'s weights (MSRA; arXiv 1502.01852), which keep the variance through ReLUs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rbench import Initializer, Options


class KaimingOptions(Options):
    """Options of ``kaiming``."""

    mode: Literal["fan_in", "fan_out"] = Field(
        "fan_in", description="keep the variance of activations (fan_in) or gradients (fan_out)"
    )
    distribution: Literal["normal", "uniform"] = "normal"
    negative_slope: float = Field(
        0.0, ge=0, description="slope of the leaky ReLU behind the layer; 0 is ReLU, 1 linear"
    )


COMPONENT = Initializer(
    name="kaiming",
    summary="He's variance: 2/fan (fan_in or fan_out, normal or uniform).",
    draw="rbench_plugins.initializers.functions.kaiming:draw",
    options=KaimingOptions,
)
