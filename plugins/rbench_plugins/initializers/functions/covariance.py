"""Draws weights as ``initializers/covariance.py`` describes."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from rbench import Layer
from rbench_plugins.initializers.covariance import CovarianceOptions


def draw(
    weight: Tensor, generator: Generator, options: CovarianceOptions, layer: Layer | None = None
) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k), made for depthwise convolutions.

    ``layer.depth`` is d, 0 at the first and 1 at the last layer drawn. Each k x k kernel is
    N(0, Sigma) with Sigma = :func:`covariance` of k and s(d), independent of all others; with
    c_in inputs per filter they are divided by sqrt(c_in).
    """
    c_in, *size = weight.shape[1:]
    depth = options.depth
    if depth is None:
        depth = 0.0 if layer is None else layer.depth
    s = options.s0 + options.v * depth + options.a * depth**2 / 2
    root = square_root(covariance(tuple(size), s))
    with torch.no_grad():
        normal = torch.randn(weight.numel() // len(root), len(root), generator=generator)
        kernels = normal.double() @ root.T
        weight.copy_((kernels / c_in**0.5).view(weight.shape))


def covariance(size: tuple[int, ...], s: float) -> Tensor:
    """(taps, taps) float64 for kernels of ``size`` (h, w): the paper's construction, section 4.

    Z[i, j] = exp(-((i - c)^2 + (j - c)^2) / (2 s)), c = k // 2. Block (i, j) of C is Z moved so
    that its center is at (i, j), with zeros where nothing has been moved to; all blocks of S are
    Z; block (i, j) of M is Z[i, j] throughout.
    Sigma is the symmetric part of M * (C - S/2), its negative eigenvalues set to zero.
    """
    axes = [torch.arange(n, dtype=torch.float64) for n in size]
    grid = torch.cartesian_prod(*axes).view(-1, len(size))
    center = torch.tensor([n // 2 for n in size], dtype=torch.float64)
    z = torch.exp(-(grid - center).square().sum(-1) / (2 * s))
    offset = grid[None] - grid[:, None] + center
    inside = ((offset >= 0) & (offset < torch.tensor(size))).all(-1)
    moved = torch.exp(-(offset - center).square().sum(-1) / (2 * s)) * inside
    product = z[:, None] * (moved - z[None] / 2)
    values, vectors = torch.linalg.eigh((product + product.T) / 2)
    return (vectors * values.clamp_min(0)) @ vectors.T


def square_root(sigma: Tensor) -> Tensor:
    """The symmetric R with R R^T = ``sigma``, positive semidefinite."""
    values, vectors = torch.linalg.eigh(sigma)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T
