"""Layer-sequential unit variance (Mishkin and Matas, arXiv 1511.06422, algorithm 1)."""

from __future__ import annotations

from pydantic import Field

from rbench import Initializer, Options


class LSUVOptions(Options):
    """Options of ``lsuv``."""

    tolerance: float = Field(0.1, gt=0, description="how far from 1 a variance may stay")
    trials: int = Field(10, ge=1, description="scalings of a layer at most")


COMPONENT = Initializer(
    name="lsuv",
    summary="Orthogonal weights, each layer scaled to unit variance on training images.",
    draw="rbench_plugins.initializers.functions.lsuv:draw",
    fit="rbench_plugins.initializers.functions.lsuv:fit",
    options=LSUVOptions,
    revision=2,  # 1 did not scale weights that are computed from others
)
