"""Impulses, boxes, Gaussian spots and low rank (Zheng, Li and Lucey 2024, structured_init).

Filters of a depthwise convolution that are enough, frozen, where 1x1 convolutions combine them.
All kinds have the same mean energy |w|^2 = 1/3 per (output, input) pair, that of U(+-1/k); with
c_in inputs per filter it is divided by c_in.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class StructuredOptions(Options):
    """Options of ``structured``."""

    kernel: Literal["impulse", "box", "spot", "low_rank", "random"] = Field(
        "impulse",
        description="impulse: one tap; box: several; spot: a Gaussian around one; low_rank: "
        "combinations of few random kernels; random: U(+-1/k)",
    )
    taps: int = Field(9, ge=1, description="box: how many taps")
    variance: float = Field(0.5, gt=0, description="spot: of the Gaussian, in squared pixels")
    rank: int = Field(3, ge=1, description="low_rank: kernels that are combined")
    heads: int | None = Field(
        None, ge=1, description="only so many different kernels, shared in turn; none: all differ"
    )


def draw(weight: Tensor, generator: Generator, options: StructuredOptions) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k), a kernel per (output, input) pair."""
    import torch

    with torch.no_grad():
        count = math.prod(weight.shape[:2])
        heads = min(options.heads or count, count)
        filled = kernels(heads, tuple(weight.shape[2:]), generator, options)
        filled = filled[torch.arange(count) % heads] / math.sqrt(weight.shape[1])
        weight.copy_(filled.view(weight.shape))


def kernels(
    count: int, size: tuple[int, ...], generator: Generator, options: StructuredOptions
) -> Tensor:
    """(count, taps) kernels of mean energy 1/3: impulse, box and random exactly or by their law."""
    import torch

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


COMPONENT = Initializer(
    name="structured",
    summary="Impulse, box, Gaussian spot or low-rank kernels, all of the same energy.",
    draw=draw,
    options=StructuredOptions,
)
