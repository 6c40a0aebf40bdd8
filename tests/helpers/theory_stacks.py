"""Small stacks and a plain network that the tests of the theory share."""

from __future__ import annotations

import math

import torch
from rbench_plugins.theory.stack import Conv, Pool, Stack, Upsample, Window
from torch import Tensor
from torch.nn import functional as F

SAME = Window((3, 3), (1, 1), (1, 1, 1, 1))
HALVES = Window((2, 2), (2, 2))


def convs(depth: int, width: int, window: Window = SAME, std: float = 0.1) -> Stack:
    """L = ``depth``: convolutions as Definition 1 has them."""
    return Stack(
        tuple(
            Conv(window, width, std, width**-0.5 if place < depth - 2 else 1.0)
            for place in range(depth - 1)
        )
    )


def output(stack: Stack, image: Tensor, generator: torch.Generator) -> Tensor:
    """f (H', W') of one random network of the stack, in the image's precision, by plain code."""
    maps = image
    for layer in stack.layers:
        if isinstance(layer, Conv):
            shape = (layer.width, len(maps), *layer.window.kernel)
            filters = torch.randn(shape, generator=generator, dtype=maps.dtype) * layer.std
            padded = F.pad(maps[None], layer.window.padding)
            maps = F.conv2d(padded, filters, stride=layer.window.stride)[0].relu() * layer.scale
        elif isinstance(layer, Upsample):
            big = maps.new_zeros(len(maps), *(side * layer.factor for side in maps.shape[1:]))
            big[:, :: layer.factor, :: layer.factor] = maps
            maps = big
        else:
            maps = pool(layer, maps)
    return maps.mean(0)


def pool(layer: Pool, maps: Tensor) -> Tensor:
    """Pool (C, H, W) with torch's own pools."""
    size = layer.window.kernel[0]
    if layer.kind == "l2":
        return F.avg_pool2d(maps[None] ** 2, size)[0].mul(size * size).sqrt()
    if layer.kind == "average":
        return F.avg_pool2d(maps[None], size)[0]
    return F.max_pool2d(maps[None], size)[0]


def pooled(kind: str, width: int, std: float = 0.1) -> Stack:
    """conv, pool, conv, zero insertion, conv, conv."""
    scaled = Conv(SAME, width, std, 1 / math.sqrt(width))
    last = Conv(SAME, width, std)
    layers = (scaled, Pool(kind, HALVES), scaled, Upsample(2), scaled, last)  # type: ignore[arg-type]
    return Stack(layers)
