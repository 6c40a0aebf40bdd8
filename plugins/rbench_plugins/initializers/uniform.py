"""Uniform weights; P1 uses U[-0.04, 0.04] (appendix A.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class UniformOptions(Options):
    """Options of ``uniform``."""

    low: float = Field(-0.04, description="smallest weight")
    high: float = Field(0.04, description="largest weight")

    @model_validator(mode="after")
    def _ordered(self) -> UniformOptions:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low}) must be less than high ({self.high})")
        return self


def draw(weight: Tensor, generator: Generator, options: UniformOptions) -> None:
    """Fill ``weight`` (any shape) with independent U[low, high] numbers."""
    from torch.nn import init

    init.uniform_(weight, options.low, options.high, generator=generator)


COMPONENT = Initializer(
    name="uniform", summary="Uniform U[low, high].", draw=draw, options=UniformOptions
)
