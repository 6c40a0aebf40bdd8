"""Gaussian weights; P1 finds a standard deviation near 0.015 best (appendix A.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class NormalOptions(Options):
    """Options of ``normal``."""

    mean: float = Field(0.0, description="mean of the law")
    std: float = Field(0.015, gt=0, description="standard deviation (P1's rr networks: 0.1)")


def draw(weight: Tensor, generator: Generator, options: NormalOptions) -> None:
    """Fill ``weight`` (any shape) with independent N(mean, std^2) numbers."""
    from torch.nn import init

    init.normal_(weight, options.mean, options.std, generator=generator)


COMPONENT = Initializer(
    name="normal", summary="Gaussian N(mean, std^2).", draw=draw, options=NormalOptions
)
