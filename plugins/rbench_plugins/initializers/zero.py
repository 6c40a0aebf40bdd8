"""ZerO (Zhao, Schaefer, Anandkumar, arXiv 2110.12661): zeros and ones only, nothing is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class ZeroOptions(Options):
    """Options of ``zero``."""

    hadamard: bool = Field(
        True,
        description="where a layer has more outputs than inputs: spread the inputs over all of "
        "them by a Hadamard matrix; false: a partial identity",
    )
    scale: float = Field(1.0, gt=0, description="factor on the orthonormal Hadamard matrix")


def draw(weight: Tensor, generator: Generator, options: ZeroOptions) -> None:
    """Fill ``weight``: :func:`matrix` at the center tap, zero elsewhere; the same for all seeds."""
    import torch

    c_out, c_in = weight.shape[:2]
    with torch.no_grad():
        weight.zero_()
        center = weight
        for length in weight.shape[2:]:
            center = center.select(2, length // 2)
        center.copy_(matrix(c_out, c_in, options))


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
)
