"""Identity weights: every output is one input, pixel by pixel (Zagoruyko and Komodakis 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class DiracOptions(Options):
    """Options of ``dirac``."""

    groups: int = Field(
        1, ge=1, description="parts of the outputs that each start from the first input again"
    )


def draw(weight: Tensor, generator: Generator, options: DiracOptions) -> None:
    """Fill ``weight``: 1 at the center tap from input i to output i of each part, else 0.

    Nothing is drawn. Outputs beyond the number of inputs are zero; a linear layer (c_out, c_in)
    gets the identity matrix. Where c_out is not a multiple of ``groups`` there is one part.
    """
    import torch

    parts = options.groups if weight.shape[0] % options.groups == 0 else 1
    size = weight.shape[0] // parts
    center = tuple(length // 2 for length in weight.shape[2:])
    with torch.no_grad():
        weight.zero_()
        for part in range(parts):
            for index in range(min(size, weight.shape[1])):
                weight[(part * size + index, index, *center)] = 1


COMPONENT = Initializer(
    name="dirac",
    summary="The identity: output i is input i at the center tap; the same for all seeds.",
    draw=draw,
    options=DiracOptions,
)
