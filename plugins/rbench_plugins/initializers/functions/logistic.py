"""Draws weights as ``initializers/logistic.py`` describes."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from rbench_plugins.initializers.logistic import LogisticOptions


def draw(weight: Tensor, generator: Generator, options: LogisticOptions) -> None:
    """Fill ``weight`` (any shape) with loc + scale log(u / (1 - u)), u uniform in (0, 1)."""
    # float64: with 24-bit uniform numbers u = 0 turns up once in 17 million and gives -inf.
    u = torch.rand(weight.shape, generator=generator, dtype=torch.float64)
    u.clamp_(min=torch.finfo(torch.float64).tiny)
    with torch.no_grad():
        weight.copy_(torch.logit(u).mul_(options.scale).add_(options.loc))
