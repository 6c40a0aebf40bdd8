"""Options of every architecture that is made of LC-blocks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rbench import Options


class LCOptions(Options):
    """How an LC-block (P2 section 4) is built and run."""

    expansion: int = Field(
        1, ge=1, description="E: filters per output channel, which a 1x1 convolution combines"
    )
    between: Literal["none", "relu", "bn", "bn_relu"] = Field(
        "none", description="operation between the spatial convolution and the 1x1 (P2 Table 3)"
    )
    execution: Literal["auto", "unfolded", "folded", "compact", "gram"] = Field(
        "auto",
        description="two convolutions; one with combined filters (folded); the same with as few "
        "filters as train alike under SGD (compact), or none, through the Gram matrix of frozen "
        "ones (gram); auto: the fastest that is exact. Cost, not function",
    )
    gram: Literal["drawn", "expected"] = Field(
        "drawn",
        description="with execution=gram: the drawn filters' Gram matrix, or, as a control, its "
        "expectation E c_out / (3 c_in k^2) times the identity",
    )

    @model_validator(mode="after")
    def _fits(self) -> LCOptions:
        if self.between != "none" and self.execution in ("folded", "compact", "gram"):
            raise ValueError(
                f"execution={self.execution} needs between=none: with {self.between} between the "
                "convolutions only execution=unfolded computes the block"
            )
        if self.gram == "expected" and self.execution != "gram":
            raise ValueError("gram=expected needs execution=gram")
        return self
