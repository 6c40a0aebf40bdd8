"""(Semi-)orthogonal weights (Saxe et al., arXiv 1312.6120)."""

from __future__ import annotations

from pydantic import Field

from rbench import Initializer, Options


class OrthogonalOptions(Options):
    """Options of ``orthogonal``."""

    gain: float = Field(1.0, gt=0, description="factor on the orthogonal matrix")


COMPONENT = Initializer(
    name="orthogonal",
    summary="Filters, as rows of a matrix, are (semi-)orthogonal.",
    draw="rbench_plugins.initializers.functions.orthogonal:draw",
    options=OrthogonalOptions,
)
