"""Identity weights: every output is one input, pixel by pixel (Zagoruyko and Komodakis 2017)."""

from __future__ import annotations

from pydantic import Field

from rbench import Initializer, Options


class DiracOptions(Options):
    """Options of ``dirac``."""

    groups: int = Field(
        1,
        ge=1,
        description="parts of the outputs that each start from the first input again; those of a "
        "grouped convolution are its groups in any case",
    )


COMPONENT = Initializer(
    name="dirac",
    summary="The identity: output i is input i at the center tap; the same for all seeds.",
    draw="rbench_plugins.initializers.functions.dirac:draw",
    options=DiracOptions,
    revision=2,  # 1 did not see the layer's groups
)
