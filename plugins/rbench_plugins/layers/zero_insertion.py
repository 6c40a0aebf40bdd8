"""Upsampling by zeros: each value goes to the top left of a block of zeros (proof of Theorem 4)."""

from __future__ import annotations

import torch
from torch import Tensor


def zero_insertion(maps: Tensor, factor: int, size: tuple[int, int] | None = None) -> Tensor:
    """(..., H, W) -> (..., *size), by default (factor H, factor W).

    The value at (i, j) goes to (factor i, factor j); ``size`` is at least that far. The memory
    format of (B, C, H, W) is kept.
    """
    height, width = maps.shape[-2:]
    out = maps.new_zeros(*maps.shape[:-2], *(size or (height * factor, width * factor)))
    if maps.ndim == 4 and maps.is_contiguous(memory_format=torch.channels_last):
        out = out.contiguous(memory_format=torch.channels_last)
    out[..., : height * factor : factor, : width * factor : factor] = maps
    return out
