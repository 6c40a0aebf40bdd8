"""Draws weights as ``initializers/laplace.py`` describes."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from rbench_plugins.initializers.laplace import LaplaceOptions


def draw(weight: Tensor, generator: Generator, options: LaplaceOptions) -> None:
    """Fill ``weight`` (any shape) with loc +- scale e, e exponential with mean 1."""
    # v in [-1, 1): its sign is the weight's, its size the exponential's quantile. float64, and
    # clamped, because |v| = 1 would give infinity.
    v = torch.rand(weight.shape, generator=generator, dtype=torch.float64).mul_(2).sub_(1)
    v.clamp_(min=-1 + torch.finfo(torch.float64).eps)
    with torch.no_grad():
        weight.copy_(v.sign() * torch.log1p(-v.abs()).mul_(-options.scale) + options.loc)
