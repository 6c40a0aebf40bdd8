"""Draws weights as ``initializers/conv_aware.py`` describes."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from rbench_plugins.initializers.conv_aware import ConvAwareOptions


def draw(weight: Tensor, generator: Generator, options: ConvAwareOptions) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k), variance 2/fan_in to the last digit.

    For each filter, orthonormal real vectors (:func:`spectra`), one a channel, are taken back to
    k x k as half spectra by an inverse real FFT; then noise, and one factor for the whole tensor.
    The kernels' own spectra are orthogonal only nearly: of the columns that are their own
    conjugates (frequency 0, and k/2 for even k) a real kernel has the symmetric part alone. Before
    noise, products of two channels' spectra are 0.16 of their squared length at k = 3 and 0.09 at
    k = 5 (root mean square). A kernel of one tap has no frequencies and is noise alone. A filter
    with more channels than frequencies n = k (k//2 + 1) starts over with new vectors.
    """
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
    blocks = []
    for _ in range(-(-count // size)):
        a = torch.randn(size, size, generator=generator, dtype=torch.float64)
        symmetric = a + a.T - a.diagonal().diag()
        blocks.append(torch.linalg.svd(symmetric).U.T)
    return torch.cat(blocks)[:count]
