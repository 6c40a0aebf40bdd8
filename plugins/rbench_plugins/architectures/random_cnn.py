"""``random_cnn``: the network that P1's theorems are about (section 5, Definition 1)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rbench import Architecture, Options


class RandomCNNOptions(Options):
    """Options of ``random_cnn``. Positions in ``pools`` and ``upsamplings`` count from 1."""

    depth: int = Field(2, ge=2, le=64, description="L: convolutions plus the final mean")
    width: int = Field(64, ge=2, description="N: filters of every convolution")
    widths: tuple[int, ...] | None = Field(
        None, description="filters of each convolution in turn; sets depth and width"
    )
    kernel: int = Field(3, ge=1, description="taps along each side")
    stride: int = Field(1, ge=1)
    padding: Literal["same", "valid"] | int = Field(
        "same", description="zeros: same (the input's size over the stride), valid, or a number"
    )
    pools: tuple[int, ...] = Field((), description="convolutions that a pool follows")
    pool: Literal["l2", "average", "max"] = Field("l2", description="kind of the pools")
    pool_size: int = Field(2, ge=1, description="a pool's kernel and stride")
    upsamplings: tuple[int, ...] = Field(
        (), description="convolutions that a zero insertion by pool_size follows"
    )
    law: Literal["normal", "uniform", "laplace", "logistic"] = Field(
        "normal", description="of the filters; the theorems hold for normal only"
    )
    std: float = Field(0.1, gt=0, description="standard deviation of the filters")
    scaled: bool = Field(True, description="1/sqrt(N) after every convolution but the last")
    slope: float = Field(0.0, ge=0, lt=1, description="of a leaky ReLU; the theorems need 0")
    bias: bool = Field(False, description="draw biases too; the theorems have none")
    draws: int = Field(
        1, ge=1, description="networks that the metric theory measures: this one and further draws"
    )

    @model_validator(mode="after")
    def _fits(self) -> RandomCNNOptions:
        if self.widths is not None and (not self.widths or min(self.widths) < 2):
            raise ValueError("widths takes at least one number, each at least 2")
        if isinstance(self.padding, int) and self.padding < 0:
            raise ValueError("padding is at least 0")
        inner = len(self.filters) - 1
        for name, places in (("pools", self.pools), ("upsamplings", self.upsamplings)):
            if any(not 1 <= place <= inner for place in places):
                raise ValueError(
                    f"{name} names convolutions from 1 to {inner}: the last one is followed by "
                    "the mean"
                )
        return self

    @property
    def filters(self) -> tuple[int, ...]:
        """Filters of each convolution."""
        return self.widths or (self.width,) * (self.depth - 1)


COMPONENT = Architecture(
    name="random_cnn",
    summary="The random CNN of P1's Definition 1, mean over the channels last.",
    title="Random CNNs",
    build="rbench_plugins.architectures.functions.random_cnn:build",
    options=RandomCNNOptions,
)
