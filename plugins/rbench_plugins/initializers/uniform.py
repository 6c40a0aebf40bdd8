"""Uniform weights; P1 uses U[-0.04, 0.04] (appendix A.1.2)."""

from __future__ import annotations

from pydantic import Field, model_validator

from rbench import Initializer, Options


class UniformOptions(Options):
    """Options of ``uniform``."""

    low: float = Field(-0.04, description="smallest weight")
    high: float = Field(0.04, description="largest weight")

    @model_validator(mode="after")
    def _ordered(self) -> UniformOptions:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low}) must be less than high ({self.high})")
        return self


COMPONENT = Initializer(
    name="uniform",
    summary="Uniform U[low, high].",
    draw="rbench_plugins.initializers.functions.uniform:draw",
    options=UniformOptions,
)
