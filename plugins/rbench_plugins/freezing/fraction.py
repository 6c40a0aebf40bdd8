"""A random fraction of the weights: whole filters, or single entries."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rbench import FreezingRule, Options


class FractionOptions(Options):
    """Options of ``fraction``."""

    p: float = Field(0.5, ge=0, le=1, description="share that stays as drawn")
    unit: Literal["filter", "weight"] = Field(
        "weight", description="filter: all weights of an output at once; weight: entry by entry"
    )
    per: Literal["layer", "network"] = Field(
        "layer", description="whether every layer has that share, or the network as a whole"
    )
    of: Literal["weights", "spatial"] = Field(
        "weights",
        description="weights: tensors of two dimensions and more; spatial: spatial filters only",
    )


COMPONENT = FreezingRule(
    name="fraction",
    summary="A random share of all weights stays as drawn, as filters or as single entries.",
    select="rbench_plugins.freezing.functions.fraction:select",
    options=FractionOptions,
)
