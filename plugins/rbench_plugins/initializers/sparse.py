"""Sparse weights (Martens 2010, section 5): a few incoming connections per unit."""

from __future__ import annotations

from pydantic import Field

from rbench import Initializer, Options


class SparseOptions(Options):
    """Options of ``sparse``."""

    sparsity: float = Field(0.9, ge=0, lt=1, description="share of each filter's taps that is zero")
    std: float | None = Field(
        None, gt=0, description="of the others; none: sqrt(2 / their number in a filter)"
    )


COMPONENT = Initializer(
    name="sparse",
    summary="A few normal taps at random places of each filter, the others zero.",
    draw="rbench_plugins.initializers.functions.sparse:draw",
    options=SparseOptions,
)
