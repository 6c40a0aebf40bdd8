"""Draws weights as ``initializers/normal.py`` describes."""

from __future__ import annotations

from torch import Generator, Tensor
from torch.nn import init

from rbench_plugins.initializers.normal import NormalOptions


def draw(weight: Tensor, generator: Generator, options: NormalOptions) -> None:
    """Fill ``weight`` (any shape) with independent N(mean, std^2) numbers."""
    init.normal_(weight, options.mean, options.std, generator=generator)
