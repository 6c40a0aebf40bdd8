"""ZerO (Zhao, Schaefer, Anandkumar, arXiv 2110.12661): zeros and ones only, nothing is drawn."""

from __future__ import annotations

from pydantic import Field

from rbench import Initializer, Options


class ZeroOptions(Options):
    """Options of ``zero``."""

    hadamard: bool = Field(
        True,
        description="where a layer has more outputs than inputs: spread the inputs over all of "
        "them by a Hadamard matrix; false: a partial identity",
    )
    scale: float = Field(1.0, gt=0, description="factor on the orthonormal Hadamard matrix")
    zero_residual: bool = Field(
        True,
        description="the last convolution of each residual branch starts at zero, so that blocks "
        "begin as their shortcuts; false where it is to stay as drawn and still do something",
    )
    zero_last: bool = Field(False, description="the classifier starts at zero, if it is drawn")


COMPONENT = Initializer(
    name="zero",
    summary="ZerO: identities and Hadamard matrices at the center tap; nothing is drawn.",
    draw="rbench_plugins.initializers.functions.zero:draw",
    options=ZeroOptions,
    # 1 did not see the layer's groups, 2 did not zero the last convolution of residual branches
    revision=3,
)
