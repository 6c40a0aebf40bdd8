"""Draws weights as ``initializers/structured.py`` describes."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from rbench_plugins.initializers.structured import StructuredOptions


def draw(weight: Tensor, generator: Generator, options: StructuredOptions) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k), a kernel per (output, input) pair.

    ValueError for boxes as large as the kernel, which are all the same.
    """
    size = tuple(weight.shape[2:])
    if options.kernel == "box" and 1 < math.prod(size) <= options.taps:
        raise ValueError(
            f"boxes of {options.taps} taps fill a kernel of {math.prod(size)} and are all the "
            f"same; take fewer, such as taps={math.prod(size) // 2}"
        )
    with torch.no_grad():
        count = math.prod(weight.shape[:2])
        heads = min(options.heads or count, count)
        filled = kernels(heads, size, generator, options)
        filled = filled[torch.arange(count) % heads] / math.sqrt(weight.shape[1])
        weight.copy_(filled.view(weight.shape))


def kernels(
    count: int, size: tuple[int, ...], generator: Generator, options: StructuredOptions
) -> Tensor:
    """(count, taps) kernels of mean energy 1/3: impulse, box, random; exactly or on average."""
    total = math.prod(size)
    if options.kernel == "random":
        return torch.empty(count, total).uniform_(-1, 1, generator=generator) / math.sqrt(total)
    if options.kernel == "low_rank":
        # Variance of an entry: rank (1/(3 k^2))^2, which a factor makes 1/(3 k^2).
        left = torch.empty(count, options.rank).uniform_(-1, 1, generator=generator)
        right = torch.empty(options.rank, total).uniform_(-1, 1, generator=generator)
        return left @ right * math.sqrt(3 / (options.rank * total))
    if options.kernel in ("impulse", "box"):
        taps = min(options.taps if options.kernel == "box" else 1, total)
        places = torch.rand(count, total, generator=generator).argsort(1)[:, :taps]
        return torch.zeros(count, total).scatter_(1, places, math.sqrt(1 / (3 * taps)))
    at = torch.randint(total, (count,), generator=generator)
    grid = torch.cartesian_prod(*(torch.arange(n, dtype=torch.float32) for n in size))
    grid = grid.view(total, -1)
    distance = (grid[None] - grid[at][:, None]).square().sum(-1)
    spots = torch.exp(-distance / (2 * options.variance))
    return spots * (3 * spots.square().sum(1).mean()).rsqrt()
