"""Impulses, boxes, Gaussian spots and low rank (Zheng, Li and Lucey 2024, structured_init).

Filters of a depthwise convolution that are enough, frozen, where 1x1 convolutions combine them.
All kinds have the same mean energy |w|^2 = 1/3 per (output, input) pair, that of U(+-1/k); with
c_in inputs per filter it is divided by c_in.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rbench import Initializer, Options


class StructuredOptions(Options):
    """Options of ``structured``."""

    kernel: Literal["impulse", "box", "spot", "low_rank", "random"] = Field(
        "impulse",
        description="impulse: one tap; box: several; spot: a Gaussian around one; low_rank: "
        "combinations of few random kernels; random: U(+-1/k)",
    )
    taps: int = Field(9, ge=1, description="box: how many taps, fewer than a kernel has")
    variance: float = Field(0.5, gt=0, description="spot: of the Gaussian, in squared pixels")
    rank: int = Field(3, ge=1, description="low_rank: kernels that are combined")
    heads: int | None = Field(
        None, ge=1, description="number of different kernels, shared in turn; none: all differ"
    )

    @model_validator(mode="after")
    def _fits(self) -> StructuredOptions:
        for field, kernel in (("taps", "box"), ("variance", "spot"), ("rank", "low_rank")):
            default = type(self).model_fields[field].default
            if getattr(self, field) != default and kernel != self.kernel:
                raise ValueError(f"{field} is for kernel={kernel}; leave it out with {self.kernel}")
        return self


COMPONENT = Initializer(
    name="structured",
    summary="Impulse, box, Gaussian spot or low-rank kernels, all of the same energy.",
    draw="rbench_plugins.initializers.functions.structured:draw",
    options=StructuredOptions,
)
