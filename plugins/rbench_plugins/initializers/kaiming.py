"""He et al.'s weights (MSRA; arXiv 1502.01852), which keep the variance through ReLUs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class KaimingOptions(Options):
    """Options of ``kaiming``."""

    mode: Literal["fan_in", "fan_out"] = Field(
        "fan_in", description="keep the variance of activations (fan_in) or gradients (fan_out)"
    )
    distribution: Literal["normal", "uniform"] = "normal"
    negative_slope: float = Field(
        0.0, ge=0, description="slope of the leaky ReLU behind the layer; 0 is ReLU, 1 linear"
    )


def draw(weight: Tensor, generator: Generator, options: KaimingOptions) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k): variance 2 / ((1 + slope^2) fan).

    fan is c_in/groups k^2 for ``fan_in`` and c_out k^2 for ``fan_out`` (PyTorch's count, which
    does not divide by groups).
    """
    from torch.nn import init

    fill = init.kaiming_normal_ if options.distribution == "normal" else init.kaiming_uniform_
    fill(weight, options.negative_slope, options.mode, "leaky_relu", generator)


COMPONENT = Initializer(
    name="kaiming",
    summary="He's law: variance 2/fan (fan_in or fan_out, normal or uniform).",
    draw=draw,
    options=KaimingOptions,
)
