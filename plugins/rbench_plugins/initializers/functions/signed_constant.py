"""Draws weights as ``initializers/signed_constant.py`` describes."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from rbench_plugins.initializers.signed_constant import SignedConstantOptions


def draw(weight: Tensor, generator: Generator, options: SignedConstantOptions) -> None:
    """Fill ``weight`` with plus or minus sqrt(2/fan), each sign with probability 1/2.

    fan is c_in/groups k^2 for ``fan_in`` and c_out k^2 for ``fan_out``.
    """
    fan = weight[0].numel() if options.mode == "fan_in" else weight[:, 0].numel()
    magnitude = options.scale if options.scale is not None else math.sqrt(2 / fan)
    with torch.no_grad():
        bits = torch.randint(2, weight.shape, generator=generator)
        weight.copy_(bits * 2 - 1).mul_(magnitude)
