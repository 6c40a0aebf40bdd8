"""What the optimizer moves: a sum of coarse-to-fine corrections to a starting point."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Corrections(nn.Module):
    """value = start + axes @ sum over levels of upsampled z_l, clamped to [low, high].

    ``start`` (P, N, h, w); z_l is (P, K, h/2^l, w/2^l), zero at first; ``axes`` (P, N, K) turn K
    coefficients into N channels, and None leaves K = N; ``scale`` (P, 1, 1, 1) is their unit.
    With levels (0,) and no axes every entry moves by itself, as in P1 and in Gatys; then what a
    random network's pools do not resolve is free to become noise. Coarser levels make the
    correction smooth; principal axes of the style's features, each scaled to its own standard
    deviation, restrict it to features that occur in images.
    """

    start: Tensor
    axes: Tensor | None
    scale: Tensor | None

    def __init__(
        self,
        start: Tensor,
        levels: Sequence[int],
        axes: Tensor | None = None,
        *,
        scale: Tensor | None = None,
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("start", start)
        self.register_buffer("axes", axes)
        self.register_buffer("scale", scale)
        self.low, self.high = low, high
        channels = start.shape[1] if axes is None else axes.shape[2]
        self.levels = nn.ParameterList(
            start.new_zeros(
                start.shape[0],
                channels,
                *(-(-side // 2**level) for side in start.shape[-2:]),
            )
            for level in levels
        )

    def forward(self) -> Tensor:
        """The current value, (P, N, h, w)."""
        size = self.start.shape[-2:]
        parts = [
            z
            if z.shape[-2:] == size
            else F.interpolate(z, size=size, mode="bilinear", align_corners=False)
            for z in self.levels
        ]
        step = torch.stack(parts).sum(0)
        if self.axes is not None:
            step = torch.einsum("pnk,pkhw->pnhw", self.axes, step)
        if self.scale is not None:
            step = self.scale * step
        value = self.start + step
        if self.low is None and self.high is None:
            return value
        return value.clamp(self.low, self.high)
