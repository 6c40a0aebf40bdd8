"""Sparse weights (Martens 2010, section 5): a few incoming connections per unit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class SparseOptions(Options):
    """Options of ``sparse``."""

    sparsity: float = Field(0.9, ge=0, lt=1, description="share of each filter's taps that is zero")
    std: float | None = Field(
        None, gt=0, description="of the others; none: sqrt(2 / their number in a filter)"
    )


def draw(weight: Tensor, generator: Generator, options: SparseOptions) -> None:
    """Fill ``weight``: in each filter the same number of taps at random places, normal, else 0.

    max(1, round((1 - sparsity) c_in/groups k^2)) taps; at the default std a filter keeps the
    variance through a ReLU as a dense one of He's does. ``torch.nn.init.sparse_`` counts along
    the other axis (zeros per input) and fits linear layers only.
    """
    import torch

    taps = weight[0].numel()
    kept = max(1, round((1 - options.sparsity) * taps))
    std = options.std if options.std is not None else math.sqrt(2 / kept)
    with torch.no_grad():
        flat = torch.zeros(len(weight), taps)
        places = torch.rand(len(weight), taps, generator=generator).argsort(1)[:, :kept]
        flat.scatter_(1, places, torch.randn(len(weight), kept, generator=generator) * std)
        weight.copy_(flat.view(weight.shape))


COMPONENT = Initializer(
    name="sparse",
    summary="A few normal taps at random places of each filter, the others zero.",
    draw=draw,
    options=SparseOptions,
)
