"""Draws weights as ``initializers/covariance.py`` describes."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Generator, Tensor
from torch.nn import functional as F

from rbench import Layer
from rbench_plugins.initializers.covariance import CovarianceOptions


def draw(
    weight: Tensor, generator: Generator, options: CovarianceOptions, layer: Layer | None = None
) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k), made for depthwise convolutions.

    ``layer.depth`` is d, 0 at the first and 1 at the last layer drawn (of LC-blocks: of those that
    the network has). Each k x k kernel is
    N(0, Sigma) with Sigma = :func:`covariance` of k and s(d), independent of all others; with
    c_in inputs per filter they are divided by sqrt(c_in). With ``weights`` Sigma is
    :func:`trained_covariance`.
    """
    c_in, *size = weight.shape[1:]
    depth = options.depth
    if depth is None:
        depth = 0.0 if layer is None else layer.depth
    if options.weights is not None:
        name = "" if layer is None else layer.name
        sigma = trained_covariance(options.weights, name, depth, tuple(size))
    else:
        s = options.s0 + options.v * depth + options.a * depth**2 / 2
        sigma = covariance(tuple(size), s)
    root = square_root(sigma)
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


def trained_covariance(path: Path, name: str, depth: float, size: tuple[int, ...]) -> Tensor:
    """(taps, taps) float64: the covariance of the k x k kernels of one layer of a trained network.

    That layer is the one of the same ``name`` (the network may be wider or narrower), else the
    one at the same relative ``depth`` of those with more than one tap, in the order of their names.
    Kernels of another size are resized bilinearly and keep their mean energy. Multiplied by c_in,
    which :func:`draw` divides by. ValueError where the file has no such kernels.
    """
    try:
        with safe_open(path.expanduser(), framework="pt") as file:
            shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118
            kernels = sorted(
                (key for key, s in shapes.items() if len(s) == len(size) + 2 and max(s[2:]) > 1),
                key=_natural,
            )
            if not kernels:
                raise ValueError(f"weights={path} has no kernels of {len(size)} dimensions")
            key = f"{name}.weight"
            if key not in kernels:
                key = kernels[round(depth * (len(kernels) - 1))]
            weight = file.get_tensor(key).double()
    except (SafetensorError, OSError) as error:
        raise ValueError(f"weights={path} cannot be read: {str(error)[:150]}") from error
    flat = weight.flatten(0, 1)
    if flat.shape[1:] != size:
        mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(size)]
        resized = F.interpolate(flat[:, None], size, mode=mode, align_corners=True)[:, 0]
        flat = resized * (flat.square().sum() / resized.square().sum().clamp_min(1e-30)).sqrt()
    flat = flat.flatten(1)
    flat = flat - flat.mean(0)
    return flat.T @ flat / len(flat) * weight.shape[1]


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts ``blocks.10`` after ``blocks.9``."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


def square_root(sigma: Tensor) -> Tensor:
    """The symmetric R with R R^T = ``sigma``, positive semidefinite."""
    values, vectors = torch.linalg.eigh(sigma)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T
