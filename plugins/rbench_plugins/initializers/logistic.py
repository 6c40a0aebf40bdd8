"""Logistic weights; P1 uses Logistic(0, 0.015) (appendix A.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class LogisticOptions(Options):
    """Options of ``logistic``."""

    loc: float = Field(0.0, description="mean of the law")
    scale: float = Field(0.015, gt=0, description="scale s; the variance is (pi s)^2 / 3")


def draw(weight: Tensor, generator: Generator, options: LogisticOptions) -> None:
    """Fill ``weight`` (any shape) with loc + scale log(u / (1 - u)), u uniform in (0, 1)."""
    import torch

    # float64: with 24-bit uniform numbers u = 0 turns up once in 17 million and gives -inf.
    u = torch.rand(weight.shape, generator=generator, dtype=torch.float64)
    u.clamp_(min=torch.finfo(torch.float64).tiny)
    with torch.no_grad():
        weight.copy_(torch.logit(u).mul_(options.scale).add_(options.loc))


COMPONENT = Initializer(
    name="logistic", summary="Logistic(loc, scale).", draw=draw, options=LogisticOptions
)
