"""The hourglass with skip connections of Deep Image Prior (Ulyanov et al. 2018, appendix)."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv(c_in: int, c_out: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution with reflected edges, norm, leaky ReLU of slope 0.2."""
    layer = nn.Conv2d(
        c_in, c_out, kernel, stride, kernel // 2, padding_mode="reflect" if kernel > 1 else "zeros"
    )
    return nn.Sequential(OrderedDict(conv=layer, norm=nn.BatchNorm2d(c_out), act=nn.LeakyReLU(0.2)))


class Scale(nn.Module):
    """Down by 2, through the ``inner`` scale, up again; beside the skip connection; mixed."""

    def __init__(self, c_in: int, width: int, skip: int, inner: Scale | None) -> None:
        super().__init__()
        self.skip = conv(c_in, skip, 1) if skip else None
        self.down = nn.Sequential(conv(c_in, width, stride=2), conv(width, width))
        self.inner = inner
        self.norm = nn.BatchNorm2d(width + skip)
        self.up = conv(width + skip, width)
        self.mix = conv(width, width, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, c_in, H, W) -> (B, width, H, W)."""
        deep = self.down(maps)
        if self.inner is not None:
            deep = self.inner(deep)
        deep = F.interpolate(deep, scale_factor=2, mode="bilinear", align_corners=False)
        deep = deep[..., : maps.shape[-2], : maps.shape[-1]]
        if self.skip is not None:
            deep = torch.cat([self.skip(maps), deep], dim=1)
        return self.mix(self.up(self.norm(deep)))


class SkipNet(nn.Module):
    """Noise (B, input_channels, H, W) -> images (B, channels, H, W) in [0, 1].

    ``scales`` scales of ``width`` channels, each with ``skip`` channels in its skip connection.
    ``input_channels`` is what a task reads to make the noise.
    """

    def __init__(
        self, input_channels: int, channels: int, scales: int, width: int, skip: int
    ) -> None:
        super().__init__()
        self.input_channels, self.scales = input_channels, scales
        inner: Scale | None = None
        for number in reversed(range(scales)):
            inner = Scale(input_channels if number == 0 else width, width, skip, inner)
        assert inner is not None
        self.body = inner
        self.head = nn.Conv2d(width, channels, 1)

    def forward(self, noise: Tensor) -> Tensor:
        """Any size of at least 2^(scales + 1) pixels."""
        images: Tensor = torch.sigmoid(self.head(self.body(noise)))
        return images
