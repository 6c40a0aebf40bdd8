"""Options that ResNet-LC and its baseline share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from rbench import Options


class CifarResNetOptions(Options):
    """Shape of a CIFAR-ResNet."""

    depth: int = Field(20, ge=8, le=3002, description="D = 6n + 2: spatial convolutions + 1")
    width: int = Field(16, ge=1, le=65536, description="W: channels of the first stage")
    kernel_size: int = Field(3, ge=3, le=31, description="of every spatial convolution; odd")
    shortcut: Literal["conv", "identity"] = Field(
        "conv", description="where the shape changes: 1x1 with norm, or He's option A"
    )

    @field_validator("depth")
    @classmethod
    def _blocks(cls, depth: int) -> int:
        if depth % 6 != 2:
            below = depth - (depth - 2) % 6
            raise ValueError(f"must be 6n + 2, such as {below} or {below + 6}")
        return depth

    @field_validator("kernel_size")
    @classmethod
    def _odd(cls, kernel_size: int) -> int:
        if kernel_size % 2 == 0:
            raise ValueError(
                f"must be odd, such as {kernel_size - 1} or {kernel_size + 1}: an even kernel "
                "has no centre"
            )
        return kernel_size
