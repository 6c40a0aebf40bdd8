"""Delta-orthogonal weights (Xiao et al., arXiv 1806.05393, section 2.4 and algorithm 1)."""

from __future__ import annotations

from pydantic import Field

from rbench import Initializer, Options


class DeltaOrthogonalOptions(Options):
    """Options of ``delta_orthogonal``."""

    gain: float = Field(1.0, gt=0, description="factor on the orthogonal matrix")


COMPONENT = Initializer(
    name="delta_orthogonal",
    summary="Zero but for an orthogonal centre tap: an isometry of the channels.",
    draw="rbench_plugins.initializers.functions.delta_orthogonal:draw",
    options=DeltaOrthogonalOptions,
    revision=2,  # 1 did not see the layer's groups
)
