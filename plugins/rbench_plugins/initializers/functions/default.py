"""Draws weights as ``initializers/default.py`` describes."""

from __future__ import annotations

import math

from torch import Generator, Tensor
from torch.nn import init

from rbench import NoOptions


def draw(weight: Tensor, generator: Generator, options: NoOptions) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k) with U(+-1/sqrt(c_in/groups k^2)).

    Numbers and order of draws are those of ``nn.Conv2d.reset_parameters``.
    """
    init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
