"""Glorot and Bengio's weights (AISTATS 2010, equations 12 and 16)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rbench import Initializer, Options


class XavierOptions(Options):
    """Options of ``xavier``."""

    distribution: Literal["normal", "uniform"] = "uniform"
    gain: float = Field(1.0, gt=0, description="factor on every weight")


COMPONENT = Initializer(
    name="xavier",
    summary="Glorot's distribution: variance 2/(fan_in + fan_out), normal or uniform.",
    draw="rbench_plugins.initializers.functions.xavier:draw",
    options=XavierOptions,
)
