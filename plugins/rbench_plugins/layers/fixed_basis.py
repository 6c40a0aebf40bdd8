"""Bases of k x k kernels, and convolutions that learn how to combine them.

W[o, i] = sum_f w[o, i, f] D_f with fixed D and learned w: harmonic (DCT) blocks (Ulicny et al.,
2019 and 2022), decomposed filters over Fourier-Bessel functions (Qiu et al., arXiv 1802.04145),
Gaussian derivatives (Jacobsen et al., arXiv 1605.02971), and random bases as their control.

Under SGD with rate lr, weight decay wd and momentum, a step of w multiplied by D from the right is
a step of W = w D whose gradient is multiplied by D^T D, with weight decay as it is: all of it is
linear. So training w is, exactly, training a plain network from the same W with that
preconditioner (``learn="preconditioned"``), and where D is orthonormal and complete it is plain
training (``learn="plain"``), whatever the basis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.special import eval_hermitenorm, jn_zeros, jv
from torch import Generator, Tensor, nn

from rbench import UserError
from rbench_plugins.layers.lc.gradient import map_gradient


@dataclass(frozen=True, kw_only=True)
class BasisShape:
    """Which kernels: ``count`` None means all of the basis (fourier_bessel, random: 6)."""

    basis: str = "dct"
    count: int | None = None
    level: int | None = None
    norm: str = "l1"
    sigma: float = 0.7
    order: int = 4


def kernels(size: tuple[int, int], shape: BasisShape, generator: Generator) -> Tensor:
    """(n, h, w) float64, from the smoothest on; ``generator`` is for the random bases only."""
    height, width = size
    taps = height * width
    if shape.basis == "dct":
        made = dct(size, shape.level, shape.norm)
    elif shape.basis == "fourier_bessel":
        if height != width or height < 2:
            raise UserError(f"basis=fourier_bessel needs square kernels, not {height} x {width}")
        made = fourier_bessel(height)[: shape.count or 6]
    elif shape.basis == "gaussian":
        made = gaussian_derivatives(size, shape.sigma, shape.order)[:taps]
    elif shape.basis == "random":
        count = min(shape.count or 6, taps)
        made = torch.rand(count, height, width, generator=generator, dtype=torch.float64) - 0.5
    else:
        square = torch.randn(taps, taps, generator=generator, dtype=torch.float64)
        made = torch.linalg.qr(square).Q.T.reshape(taps, height, width)
    return made if shape.count is None else made[: shape.count]


def dct(size: tuple[int, int], level: int | None = None, norm: str = "l1") -> Tensor:
    """cos(pi (x + 1/2) u / h) cos(pi (y + 1/2) v / w), sorted by u + v, those of u + v < level.

    ``norm``: each kernel divided by the sum of its magnitudes (l1, as the authors' code does), or
    by its length (l2: an orthonormal basis).
    """
    height, width = size
    x, y = (torch.arange(n, dtype=torch.float64) + 0.5 for n in size)
    pairs = sorted(
        ((u, v) for u in range(height) for v in range(width)), key=lambda p: (p[0] + p[1], p[0])
    )
    made = torch.stack(
        [
            torch.outer((math.pi * x * u / height).cos(), (math.pi * y * v / width).cos())
            for u, v in pairs
            if level is None or u + v < level
        ]
    )
    power = 1 if norm == "l1" else 2
    return made / torch.linalg.vector_norm(made, power, dim=(1, 2), keepdim=True)


def fourier_bessel(k: int) -> Tensor:
    """J_m(R_mq r) cos(m theta) and sin(m theta) on the disc of radius k/2, at most k^2 - 1.

    r is the distance from the center over k/2 and R_mq the q-th zero of J_m; those up to 3 pi k / 4
    (pi k for k = 3), by size. Divided by |J_(m+1)(R_mq)|, sqrt(2) times for m > 0, zero outside the
    disc, and all of them by the root of their mean squared length.
    """
    radius = k / 2
    limit = math.pi * radius * (2 if k == 3 else 1.5)
    axis = torch.arange(k, dtype=torch.float64) - (k - 1) / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    r, theta = (x.square() + y.square()).sqrt() / radius, torch.atan2(y, x)
    inside = r <= 1
    zeros = [
        (float(zero), m)
        for m in range(int(limit) + 1)
        for zero in jn_zeros(m, int(limit) + 1)
        if zero <= limit
    ]
    made = []
    for zero, m in sorted(zeros):
        radial = torch.as_tensor(jv(m, zero * r.numpy())) / abs(float(jv(m + 1, zero))) * inside
        if m == 0:
            made.append(radial)
        else:
            made += [math.sqrt(2) * radial * f(m * theta) for f in (torch.cos, torch.sin)]
    stacked = torch.stack(made[: k * k - 1])
    return stacked / stacked.square().sum((1, 2)).mean().sqrt()


def gaussian_derivatives(size: tuple[int, int], sigma: float, order: int) -> Tensor:
    """d^i/dx^i d^j/dy^j of exp(-(x^2 + y^2) / (2 sigma^2)) for i + j <= order, of length 1."""

    def along(n: int, degree: int) -> Tensor:
        x = (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) / sigma
        hermite = torch.as_tensor(eval_hermitenorm(degree, x.numpy()))
        return (-1) ** degree * hermite * (-x.square() / 2).exp() / sigma**degree

    height, width = size
    made = [
        torch.outer(along(height, i), along(width, total - i))
        for total in range(order + 1)
        for i in range(total + 1)
    ]
    stacked = torch.stack([kernel for kernel in made if kernel.abs().max() > 1e-12])
    return stacked / torch.linalg.vector_norm(stacked, dim=(1, 2), keepdim=True)


class Combined(nn.Module):
    """Coefficients (c_out, c_in/groups, n) -> weights (c_out, c_in/groups, h, w).

    A parametrization (``torch.nn.utils.parametrize``): ``original`` holds the coefficients.
    """

    def __init__(self, basis: Tensor) -> None:
        super().__init__()
        self.size = tuple(basis.shape[1:])
        self.register_buffer("basis", basis.flatten(1).float())

    def forward(self, original: Tensor) -> Tensor:
        """Combine, in the coefficients' precision also under autocast."""
        basis = self.get_buffer("basis").to(original.dtype)
        with torch.autocast(original.device.type, enabled=False):
            return (original @ basis).unflatten(-1, self.size)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The coefficients of the nearest combination to ``weight``, by least squares."""
        inverse = torch.linalg.pinv(self.get_buffer("basis").double())
        return (weight.flatten(2).double() @ inverse).to(weight.dtype)


class Preconditioned(nn.Module):
    """The weight itself, whose gradient is multiplied by the basis' D^T D, kernel by kernel."""

    def __init__(self, basis: Tensor) -> None:
        super().__init__()
        rows = basis.flatten(1)
        self.register_buffer("metric", (rows.T @ rows).float())

    def forward(self, original: Tensor) -> Tensor:
        """(c_out, c_in/groups, h, w) as it is."""
        height, width = original.shape[2:]
        flat = original.reshape(-1, 1, height, width)
        metric = self.get_buffer("metric")[None].to(original.dtype)
        return map_gradient(flat, metric).reshape(original.shape)


def draw_coefficients(
    shape: tuple[int, int, int], basis: Tensor, distribution: str, generator: Generator
) -> Tensor:
    """(c_out, c_in/groups, n), float32.

    ``he``: normal, one variance for all, such that the combined filters have a mean squared entry
    of 2/(c_in/groups h w), as He's. ``lecun``: U(+-1/sqrt(c_in/groups n)), as DCFNet's code has it.
    """
    c_in, n = shape[1:]
    drawn = torch.empty(shape)
    if distribution == "lecun":
        bound = 1 / math.sqrt(c_in * n)
        return drawn.uniform_(-bound, bound, generator=generator)
    energy = float(basis.square().sum())
    return drawn.normal_(0, math.sqrt(2 / (c_in * energy)), generator=generator)
