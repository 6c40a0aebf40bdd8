"""(Semi-)orthogonal weights (Saxe et al., arXiv 1312.6120)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class OrthogonalOptions(Options):
    """Options of ``orthogonal``."""

    gain: float = Field(1.0, gt=0, description="factor on the orthogonal matrix")


def draw(weight: Tensor, generator: Generator, options: OrthogonalOptions) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k), seen as a c_out x (c_in/groups k^2) matrix.

    Its rows are orthogonal with norm ``gain`` where c_out is the smaller side, else its columns.
    """
    from torch.nn import init

    init.orthogonal_(weight, options.gain, generator)


COMPONENT = Initializer(
    name="orthogonal",
    summary="Filters, as rows of a matrix, are (semi-)orthogonal.",
    draw=draw,
    options=OrthogonalOptions,
)
