"""Weights of one magnitude and random signs (Ramanujan et al., CVPR 2020, section 3)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class SignedConstantOptions(Options):
    """Options of ``signed_constant``."""

    mode: Literal["fan_in", "fan_out"] = Field(
        "fan_in", description="keep the variance of activations (fan_in) or gradients (fan_out)"
    )
    scale: float | None = Field(None, gt=0, description="the magnitude; none: sqrt(2/fan)")


def draw(weight: Tensor, generator: Generator, options: SignedConstantOptions) -> None:
    """Fill ``weight`` with plus or minus sqrt(2/fan), each sign with probability 1/2.

    fan is c_in/groups k^2 for ``fan_in`` and c_out k^2 for ``fan_out``.
    """
    import torch

    fan = weight[0].numel() if options.mode == "fan_in" else weight[:, 0].numel()
    magnitude = options.scale if options.scale is not None else math.sqrt(2 / fan)
    with torch.no_grad():
        bits = torch.randint(2, weight.shape, generator=generator)
        weight.copy_(bits * 2 - 1).mul_(magnitude)


COMPONENT = Initializer(
    name="signed_constant",
    summary="One magnitude, sqrt(2/fan), and random signs.",
    draw=draw,
    options=SignedConstantOptions,
)
