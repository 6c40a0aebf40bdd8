"""Draws weights as ``initializers/xavier.py`` describes."""

from __future__ import annotations

from torch import Generator, Tensor
from torch.nn import init

from rbench_plugins.initializers.xavier import XavierOptions


def draw(weight: Tensor, generator: Generator, options: XavierOptions) -> None:
    """Fill ``weight`` with variance gain^2 2 / (fan_in + fan_out), PyTorch's count of both.

    For (c_out, c_in/groups, k, k): fan_in = c_in/groups k^2, fan_out = c_out k^2.
    """
    fill = init.xavier_normal_ if options.distribution == "normal" else init.xavier_uniform_
    fill(weight, options.gain, generator)
