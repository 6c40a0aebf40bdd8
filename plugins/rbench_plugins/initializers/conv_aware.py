"""Convolution-aware weights (Aghajanyan, arXiv 1702.06295): orthogonal in the Fourier domain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class ConvAwareOptions(Options):
    """Options of ``conv_aware``."""

    noise: float = Field(
        0.05, ge=0, description="standard deviation added to every tap before the scaling"
    )


def draw(weight: Tensor, generator: Generator, options: ConvAwareOptions) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k), variance 2/fan_in to the last digit.

    For each filter, its channels' spectra are orthonormal vectors (:func:`spectra`), taken back
    to k x k by an inverse real FFT; then noise, and one factor for the whole tensor. A kernel
    of one tap has no frequencies and is noise alone. A filter with more channels than
    frequencies n = k (k//2 + 1) starts over with new vectors.
    """
    import torch

    c_out, c_in = weight.shape[:2]
    size = tuple(weight.shape[2:])
    with torch.no_grad():
        if math.prod(size) == 1:
            filled = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        else:
            *first, last = size
            frequencies = (*first, last // 2 + 1)
            rows = torch.stack(
                [spectra(c_in, math.prod(frequencies), generator) for _ in range(c_out)]
            )
            filled = torch.fft.irfftn(rows.view(c_out, c_in, *frequencies), s=size)
            noise = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
            filled = filled + options.noise * noise
        variance = filled.var(correction=0)
        if variance > 0:
            filled = filled * (2 / weight[0].numel() / variance).sqrt()
        weight.copy_(filled)


def spectra(count: int, size: int, generator: Generator) -> Tensor:
    """(count, size) float64: blocks of orthonormal rows, from random symmetric matrices."""
    import torch

    blocks = []
    for _ in range(-(-count // size)):
        a = torch.randn(size, size, generator=generator, dtype=torch.float64)
        symmetric = a + a.T - a.diagonal().diag()
        blocks.append(torch.linalg.svd(symmetric).U.T)
    return torch.cat(blocks)[:count]


COMPONENT = Initializer(
    name="conv_aware",
    summary="Channels of a filter are orthogonal in the Fourier domain; variance 2/fan_in.",
    draw=draw,
    options=ConvAwareOptions,
)
