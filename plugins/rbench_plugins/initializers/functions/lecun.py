"""Draws weights as ``initializers/lecun.py`` describes."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from rbench_plugins.initializers.lecun import LecunOptions


def draw(weight: Tensor, generator: Generator, options: LecunOptions) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k) with variance 1 / (c_in/groups k^2)."""
    std = 1 / math.sqrt(weight[0].numel())
    with torch.no_grad():
        if options.distribution == "normal":
            weight.normal_(0, std, generator=generator)
        else:
            weight.uniform_(-math.sqrt(3) * std, math.sqrt(3) * std, generator=generator)
