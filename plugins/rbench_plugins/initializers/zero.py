"""ZerO (Zhao, Schaefer, Anandkumar, arXiv 2110.12661): zeros and ones only, nothing is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from rbench import Layer


class ZeroOptions(Options):
    """Options of ``zero``."""

    hadamard: bool = Field(
        True,
        description="where a layer has more outputs than inputs: spread the inputs over all of "
        "them by a Hadamard matrix; false: a partial identity",
    )
    scale: float = Field(1.0, gt=0, description="factor on the orthonormal Hadamard matrix")
    zero_last: bool = Field(False, description="the classifier starts at zero, if it is drawn")


def draw(
    weight: Tensor, generator: Generator, options: ZeroOptions, layer: Layer | None = None
) -> None:
    """Fill ``weight``: :func:`matrix` at the center tap, zero elsewhere; the same for all seeds.

    Of a grouped convolution each group has a matrix of its own, so that a depthwise one is the
    identity.
    """
    import torch

    c_out, c_in = weight.shape[:2]
    with torch.no_grad():
        weight.zero_()
        center = weight
        for length in weight.shape[2:]:
            center = center.select(2, length // 2)
        groups = 1 if layer is None else layer.groups
        if layer is not None and layer.kind == "linear" and layer.is_last and options.zero_last:
            return
        center.copy_(matrix(c_out // groups, c_in, options).repeat(groups, 1))


def matrix(c_out: int, c_in: int, options: ZeroOptions) -> Tensor:
    """(c_out, c_in): identity, partial identity for fewer outputs, Hadamard for more.

    With p = 2^b the smallest power of two from c_out on: the first c_out rows and c_in columns
    of scale H_p / sqrt(p), H_p Sylvester's matrix of ones and minus ones.
    """
    import torch
    from scipy.linalg import hadamard

    if c_out <= c_in or not options.hadamard:
        return torch.eye(c_out, c_in)
    size = 1 << (c_out - 1).bit_length()
    orthonormal = torch.from_numpy(hadamard(size, dtype=float)) / size**0.5
    return (options.scale * orthonormal[:c_out, :c_in]).float()


COMPONENT = Initializer(
    name="zero",
    summary="ZerO: identities and Hadamard matrices at the center tap; nothing is drawn.",
    draw=draw,
    options=ZeroOptions,
    revision=2,  # 1 did not see the layer's groups
)
