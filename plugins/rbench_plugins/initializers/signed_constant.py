"""Weights of one magnitude and random signs (Ramanujan et al., CVPR 2020, section 3)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rbench import Initializer, Options


class SignedConstantOptions(Options):
    """Options of ``signed_constant``."""

    mode: Literal["fan_in", "fan_out"] = Field(
        "fan_in", description="keep the variance of activations (fan_in) or gradients (fan_out)"
    )
    scale: float | None = Field(None, gt=0, description="the magnitude; none: sqrt(2/fan)")


COMPONENT = Initializer(
    name="signed_constant",
    summary="One magnitude, sqrt(2/fan), and random signs.",
    draw="rbench_plugins.initializers.functions.signed_constant:draw",
    options=SignedConstantOptions,
)
