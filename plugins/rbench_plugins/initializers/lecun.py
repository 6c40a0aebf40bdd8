"""LeCun's weights ("Efficient BackProp", 1998), which keep the variance of a linear layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class LecunOptions(Options):
    """Options of ``lecun``."""

    distribution: Literal["normal", "uniform"] = "normal"


def draw(weight: Tensor, generator: Generator, options: LecunOptions) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k) with variance 1 / (c_in/groups k^2)."""
    import torch

    std = 1 / math.sqrt(weight[0].numel())
    with torch.no_grad():
        if options.distribution == "normal":
            weight.normal_(0, std, generator=generator)
        else:
            weight.uniform_(-math.sqrt(3) * std, math.sqrt(3) * std, generator=generator)


COMPONENT = Initializer(
    name="lecun",
    summary="LeCun's distribution: variance 1/fan_in, normal or uniform.",
    draw=draw,
    options=LecunOptions,
)
