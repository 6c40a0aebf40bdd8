"""LeCun's weights ("Efficient BackProp", 1998), which keep the variance of a linear layer."""

from __future__ import annotations

from typing import Literal

from rbench import Initializer, Options


class LecunOptions(Options):
    """Options of ``lecun``."""

    distribution: Literal["normal", "uniform"] = "normal"


COMPONENT = Initializer(
    name="lecun",
    summary="LeCun's distribution: variance 1/fan_in, normal or uniform.",
    draw="rbench_plugins.initializers.functions.lecun:draw",
    options=LecunOptions,
)
