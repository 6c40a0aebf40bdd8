"""Draws weights as ``initializers/sparse.py`` describes."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from rbench_plugins.initializers.sparse import SparseOptions


def draw(weight: Tensor, generator: Generator, options: SparseOptions) -> None:
    """Fill ``weight``: in each filter the same number of taps at random places, normal, else 0.

    max(1, round((1 - sparsity) c_in/groups k^2)) taps; at the default std a filter keeps the
    variance through a ReLU as a dense one of He's does. ``torch.nn.init.sparse_`` counts along
    the other axis (zeros per input) and fits linear layers only.
    """
    taps = weight[0].numel()
    kept = max(1, round((1 - options.sparsity) * taps))
    std = options.std if options.std is not None else math.sqrt(2 / kept)
    with torch.no_grad():
        flat = torch.zeros(len(weight), taps)
        places = torch.rand(len(weight), taps, generator=generator).argsort(1)[:, :kept]
        flat.scatter_(1, places, torch.randn(len(weight), kept, generator=generator) * std)
        weight.copy_(flat.view(weight.shape))
