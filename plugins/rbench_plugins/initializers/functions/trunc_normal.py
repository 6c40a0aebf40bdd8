"""Draws weights as ``initializers/trunc_normal.py`` describes."""

from __future__ import annotations

import math

from torch import Generator, Tensor
from torch.nn import init

from rbench_plugins.initializers.trunc_normal import TruncNormalOptions


def draw(weight: Tensor, generator: Generator, options: TruncNormalOptions) -> None:
    """Fill ``weight`` with N(0, std^2) restricted to [-cutoff std, cutoff std].

    The variance is below std^2: 0.774 std^2 at the default cutoff. timm's ``trunc_normal_`` cuts
    at plus and minus 2 (not 2 std) unless told otherwise, which for its std of 0.02 cuts nothing:
    cutoff=100.
    """
    std = options.std if options.std is not None else 1 / math.sqrt(weight[0].numel())
    bound = options.cutoff * std
    init.trunc_normal_(weight, 0.0, std, -bound, bound, generator)
