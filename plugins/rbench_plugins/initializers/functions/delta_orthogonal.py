"""Draws weights as ``initializers/delta_orthogonal.py`` describes."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import init

from rbench import Layer
from rbench_plugins.initializers.delta_orthogonal import DeltaOrthogonalOptions


def draw(
    weight: Tensor,
    generator: Generator,
    options: DeltaOrthogonalOptions,
    layer: Layer | None = None,
) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k): zero but for an orthogonal centre tap.

    With c_out >= c_in and circular padding the layer keeps the norm of its input (times
    ``gain``). With fewer filters than inputs no layer can, and the rows are orthogonal instead.
    Each group of a grouped convolution has a matrix of its own; a depthwise one has signs.
    """
    groups = 1 if layer is None else layer.groups
    rows = weight.shape[0] // groups
    centre = torch.cat(
        [
            init.orthogonal_(weight.new_empty(rows, weight.shape[1]), options.gain, generator)
            for _ in range(groups)
        ]
    )
    with torch.no_grad():
        weight.zero_()
        weight[_centre(weight.shape)] = centre


def _centre(shape: tuple[int, ...]) -> tuple[slice | int, ...]:
    """The tap that a padding of kernel // 2 lays over the pixel itself."""
    return (slice(None), slice(None), *(int(size) // 2 for size in shape[2:]))
