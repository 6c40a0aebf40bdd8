"""Draws weights as ``initializers/dirac.py`` describes."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from rbench import Layer
from rbench_plugins.initializers.dirac import DiracOptions


def draw(
    weight: Tensor, generator: Generator, options: DiracOptions, layer: Layer | None = None
) -> None:
    """Fill ``weight``: 1 at the center tap from input i to output i of each part, else 0.

    Nothing is drawn. Outputs beyond the number of inputs are zero; a linear layer (c_out, c_in)
    gets the identity matrix. The groups of a grouped convolution are parts in any case, so that a
    depthwise one is the identity; ``groups`` parts are made where c_out is a multiple of them.
    """
    own = 1 if layer is None else layer.groups
    parts = math.lcm(own, options.groups)
    if weight.shape[0] % parts:
        parts = own
    size = weight.shape[0] // parts
    center = tuple(length // 2 for length in weight.shape[2:])
    with torch.no_grad():
        weight.zero_()
        for part in range(parts):
            for index in range(min(size, weight.shape[1])):
                weight[(part * size + index, index, *center)] = 1
