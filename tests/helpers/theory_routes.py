"""Oracles of the theory: Theorem 1 by counting routes, and Theorem 6's bound in closed form."""

from __future__ import annotations

import math

import torch
from rbench_plugins.theory.l2_limit import squared_norms
from rbench_plugins.theory.stack import Stack, Upsample, Window
from torch import Tensor

from rbench import UserError

MOST_PIXELS = 1024


def two_layer_bound(width: int, delta: float) -> float:
    """Theorem 6: sin Theta <= sqrt(K1/(N delta)) with probability 1 - delta; K1 = pi - 1."""
    return math.sqrt((math.pi - 1) / (width * delta))


def route_counts(stack: Stack, height: int, width: int) -> Tensor:
    """n(l, i), the routes from input pixel l to output pixel i: (outputs, height * width).

    A route enters each layer's map at one pixel of the window of the pixel where it leaves.
    Counted window by window from the definition, without any convolution code; UserError beyond
    1024 pixels, where the matrix is no longer tiny.
    """
    if height * width > MOST_PIXELS:
        raise UserError(
            f"counting routes takes at most {MOST_PIXELS} pixels, not {height}x{width}: "
            "use the l2 limit, which is the same number"
        )
    size = (height, width)
    routes = torch.eye(height * width, dtype=torch.float64)
    for layer in stack.layers:
        if isinstance(layer, Upsample):
            step, size = _spread(layer, *size)
        else:
            step, size = _windows(layer.window, *size)
        routes = step @ routes
    return routes


def routes_limit(stack: Stack, images: Tensor) -> Tensor:
    """z* of Theorem 1, sqrt(sum n(l, i) |X_l|^2): (..., C, H, W) -> (..., outputs), float64."""
    counts = route_counts(stack, images.shape[-2], images.shape[-1])
    return (squared_norms(images).flatten(-2) @ counts.T).sqrt()


def _windows(window: Window, height: int, width: int) -> tuple[Tensor, tuple[int, int]]:
    (high, wide), (down, across) = window.kernel, window.stride
    left, right, top, bottom = window.padding
    rows = (height + top + bottom - high) // down + 1
    columns = (width + left + right - wide) // across + 1
    step = torch.zeros(rows * columns, height * width, dtype=torch.float64)
    for row in range(rows):
        for column in range(columns):
            for y in range(row * down - top, row * down - top + high):
                for x in range(column * across - left, column * across - left + wide):
                    if 0 <= y < height and 0 <= x < width:
                        step[row * columns + column, y * width + x] += 1
    return step, (rows, columns)


def _spread(layer: Upsample, height: int, width: int) -> tuple[Tensor, tuple[int, int]]:
    factor = layer.factor
    step = torch.zeros(height * width * factor**2, height * width, dtype=torch.float64)
    for y in range(height * factor):
        for x in range(width * factor):
            if layer.nearest or (y % factor == 0 and x % factor == 0):
                source = (y // factor) * width + x // factor
                step[y * width * factor + x, source] = 1
    return step, (height * factor, width * factor)
