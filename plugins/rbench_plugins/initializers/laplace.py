"""Laplace weights; P1 uses Laplace(0, lambda = 0.015) (appendix A.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class LaplaceOptions(Options):
    """Options of ``laplace``."""

    loc: float = Field(0.0, description="mean of the law")
    scale: float = Field(0.015, gt=0, description="scale lambda; the variance is 2 lambda^2")


def draw(weight: Tensor, generator: Generator, options: LaplaceOptions) -> None:
    """Fill ``weight`` (any shape) with loc +- scale e, e exponential with mean 1."""
    import torch

    # v in [-1, 1): its sign is the weight's, its size the exponential's quantile. float64, and
    # clamped, because |v| = 1 would give infinity.
    v = torch.rand(weight.shape, generator=generator, dtype=torch.float64).mul_(2).sub_(1)
    v.clamp_(min=-1 + torch.finfo(torch.float64).eps)
    with torch.no_grad():
        weight.copy_(v.sign() * torch.log1p(-v.abs()).mul_(-options.scale) + options.loc)


COMPONENT = Initializer(
    name="laplace", summary="Laplace(loc, scale).", draw=draw, options=LaplaceOptions
)
