"""Draws weights as ``initializers/uniform.py`` describes."""

from __future__ import annotations

from torch import Generator, Tensor
from torch.nn import init

from rbench_plugins.initializers.uniform import UniformOptions


def draw(weight: Tensor, generator: Generator, options: UniformOptions) -> None:
    """Fill ``weight`` (any shape) with independent U[low, high] numbers."""
    init.uniform_(weight, options.low, options.high, generator=generator)
