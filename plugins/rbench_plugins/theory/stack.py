"""A random CNN as the theory sees it: window sums, pools and upsamplings, then the mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from torch import Tensor
from torch.nn import functional as F

from rbench import UserError
from rbench_plugins.layers.zero_insertion import zero_insertion

PoolKind: TypeAlias = Literal["l2", "average", "max"]


@dataclass(frozen=True)
class Window:
    """A sliding window: ``kernel`` and ``stride`` (height, width), ``padding`` with zeros.

    ``padding`` is (left, right, top, bottom), as ``torch.nn.functional.pad`` takes it.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def taps(self) -> int:
        """r, the pixels of a window."""
        return self.kernel[0] * self.kernel[1]

    @property
    def overlaps(self) -> bool:
        """Whether two windows can share a pixel."""
        return self.stride[0] < self.kernel[0] or self.stride[1] < self.kernel[1]

    def sum(self, maps: Tensor) -> Tensor:
        """Sum of each window: (..., H, W) -> (..., H', W')."""
        flat = F.pad(maps.reshape(-1, 1, *maps.shape[-2:]), self.padding)
        (high, wide), (down, across) = self.kernel, self.stride
        if flat.shape[-2] < high or flat.shape[-1] < wide:
            raise UserError(
                f"a window of {high}x{wide} does not fit a map of "
                f"{maps.shape[-2]}x{maps.shape[-1]}: take larger images, or fewer layers"
            )
        # Separable: the cost is k_h + k_w, not k_h k_w.
        flat = F.conv2d(flat, flat.new_ones(1, 1, high, 1), stride=(down, 1))
        flat = F.conv2d(flat, flat.new_ones(1, 1, 1, wide), stride=(1, across))
        return flat.reshape(*maps.shape[:-2], *flat.shape[-2:])


@dataclass(frozen=True)
class Conv:
    """A convolution, (leaky) ReLU and scaling. ``std`` is the filters' root mean square."""

    window: Window
    width: int
    std: float = 1.0
    scale: float = 1.0
    """The factor after the activation; 1/sqrt(width) in Definition 1, 1 in the last layer."""
    slope: float = 0.0
    bias: bool = False
    gaussian: bool = True


@dataclass(frozen=True)
class Pool:
    """A pooling layer."""

    kind: PoolKind
    window: Window


@dataclass(frozen=True)
class Upsample:
    """Each pixel becomes a ``factor`` x ``factor`` block: itself at the top left and zeros, or,
    with ``nearest``, itself everywhere.
    """

    factor: int
    nearest: bool = False

    def spread(self, maps: Tensor) -> Tensor:
        """(..., H, W) -> (..., factor H, factor W)."""
        if self.nearest:
            return maps.repeat_interleave(self.factor, -2).repeat_interleave(self.factor, -1)
        return zero_insertion(maps, self.factor)


Layer: TypeAlias = Conv | Pool | Upsample


@dataclass(frozen=True)
class Stack:
    """The layers before the mean over the channels; the last one is a convolution.

    P1's L counts the convolutions and the mean: a two-layer CNN has one convolution.
    """

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if not self.layers or not isinstance(self.layers[-1], Conv):
            raise UserError("a random CNN ends in a convolution and the mean over its channels")

    @property
    def convs(self) -> list[Conv]:
        """The convolutions in their order."""
        return [layer for layer in self.layers if isinstance(layer, Conv)]

    @property
    def depth(self) -> int:
        """L: convolutions plus the final mean."""
        return len(self.convs) + 1

    @property
    def pools(self) -> set[PoolKind]:
        """The kinds of pooling that occur."""
        return {layer.kind for layer in self.layers if isinstance(layer, Pool)}

    def segments(self) -> Iterator[tuple[tuple[Layer, ...], Conv]]:
        """Each convolution with the pools and upsamplings just before it."""
        before: list[Layer] = []
        for layer in self.layers:
            if isinstance(layer, Conv):
                yield tuple(before), layer
                before = []
            else:
                before.append(layer)

    @property
    def keeps_size(self) -> bool:
        """Whether every layer is a stride-1 convolution that pads to its input's size."""
        return all(
            isinstance(layer, Conv)
            and layer.window.stride == (1, 1)
            and layer.window.padding[0] + layer.window.padding[1] == layer.window.kernel[1] - 1
            and layer.window.padding[2] + layer.window.padding[3] == layer.window.kernel[0] - 1
            for layer in self.layers
        )


def window_sums(before: tuple[Layer, ...], conv: Conv | None, squares: Tensor) -> Tensor:
    """How squared norms (..., H, W) travel through pools and upsamplings into the windows of
    ``conv``: window sums for l2 pools, spreading for upsamplings (proof of Theorem 4).
    """
    for layer in before:
        if isinstance(layer, Upsample):
            squares = layer.spread(squares)
        else:
            squares = layer.window.sum(squares)
    return squares if conv is None else conv.window.sum(squares)


__all__ = ["Conv", "Layer", "Pool", "PoolKind", "Stack", "Upsample", "Window", "window_sums"]
