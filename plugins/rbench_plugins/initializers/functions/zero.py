"""Draws weights as ``initializers/zero.py`` describes."""

from __future__ import annotations

import torch
from scipy.linalg import hadamard
from torch import Generator, Tensor

from rbench import Layer
from rbench_plugins.initializers.zero import ZeroOptions


def draw(
    weight: Tensor, generator: Generator, options: ZeroOptions, layer: Layer | None = None
) -> None:
    """Fill ``weight``: :func:`matrix` at the center tap, zero elsewhere; the same for all seeds.

    Of a grouped convolution each group has a matrix of its own, so that a depthwise one is the
    identity. With ``zero_residual`` the last convolution of a residual branch is zero.
    """
    c_out, c_in = weight.shape[:2]
    with torch.no_grad():
        weight.zero_()
        center = weight
        for length in weight.shape[2:]:
            center = center.select(2, length // 2)
        groups = 1 if layer is None else layer.groups
        if layer is not None and layer.kind == "linear" and layer.is_last and options.zero_last:
            return
        if options.zero_residual and layer is not None and ends_branch(layer):
            return
        center.copy_(matrix(c_out // groups, c_in, options).repeat(groups, 1))


def ends_branch(layer: Layer) -> bool:
    """Whether ``layer`` is the last convolution of a residual branch."""
    return layer.kind == "conv" and layer.ends_residual


def matrix(c_out: int, c_in: int, options: ZeroOptions) -> Tensor:
    """(c_out, c_in): identity, partial identity for fewer outputs, Hadamard for more.

    With p = 2^b the smallest power of two from c_out on: the first c_out rows and c_in columns
    of scale H_p / sqrt(p), H_p Sylvester's matrix of ones and minus ones.
    """
    if c_out <= c_in or not options.hadamard:
        return torch.eye(c_out, c_in)
    size = 1 << (c_out - 1).bit_length()
    orthonormal = torch.from_numpy(hadamard(size, dtype=float)) / size**0.5
    return (options.scale * orthonormal[:c_out, :c_in]).float()
