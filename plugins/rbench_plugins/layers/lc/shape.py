"""The shape of a convolution that an LC-block stands for."""

from __future__ import annotations

from dataclasses import dataclass

from timm.layers import Conv2dSame, pad_same
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, kw_only=True)
class ConvShape:
    """A convolution without its weights.

    ``same`` asks for TensorFlow's padding, which depends on the input's size, in place of
    ``padding``.
    """

    c_in: int
    c_out: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    bias: bool = False
    same: bool = False

    @property
    def taps(self) -> int:
        """d: how many numbers one filter has, c_in/groups x k x k."""
        return self.c_in // self.groups * self.kernel[0] * self.kernel[1]

    @property
    def per_group(self) -> int:
        """m: output channels of one group."""
        return self.c_out // self.groups

    @property
    def weight(self) -> tuple[int, int, int, int]:
        """(c_out, c_in/groups, k, k)."""
        return (self.c_out, self.c_in // self.groups, *self.kernel)

    def convolve(self, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve ``images`` (B, c_in, H, W) with any number of filters."""
        padding = self.padding
        if self.same:
            images = pad_same(images, list(self.kernel), list(self.stride), list(self.dilation))
            padding = (0, 0)
        return F.conv2d(
            images, weight, bias, self.stride, padding, self.dilation, groups=self.groups
        )

    @classmethod
    def of(cls, conv: nn.Conv2d, same: bool = False) -> ConvShape:
        """The shape of ``conv``, whose padding is given in pixels (or is ``same``)."""
        assert not isinstance(conv.padding, str)
        return cls(
            c_in=conv.in_channels,
            c_out=conv.out_channels,
            kernel=_pair(conv.kernel_size),
            stride=_pair(conv.stride),
            padding=_pair(conv.padding),
            dilation=_pair(conv.dilation),
            groups=conv.groups,
            bias=conv.bias is not None,
            same=same,
        )

    def conv(self) -> nn.Conv2d:
        """A plain convolution of this shape."""
        kind = nn.Conv2d
        if self.same:
            kind = Conv2dSame
        return kind(
            self.c_in,
            self.c_out,
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.bias,
        )


def _pair(size: tuple[int, ...]) -> tuple[int, int]:
    height, width = size
    return height, width
