"""Draws weights as ``initializers/kaiming.py`` describes."""

from __future__ import annotations

from torch import Generator, Tensor
from torch.nn import init

from rbench_plugins.initializers.kaiming import KaimingOptions


def draw(weight: Tensor, generator: Generator, options: KaimingOptions) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k): variance 2 / ((1 + slope^2) fan).

    fan is c_in/groups k^2 for ``fan_in`` and c_out k^2 for ``fan_out`` (PyTorch's count, which
    does not divide by groups).
    """
    fill = init.kaiming_normal_ if options.distribution == "normal" else init.kaiming_uniform_
    fill(weight, options.negative_slope, options.mode, "leaky_relu", generator)
