"""Delta-orthogonal weights (Xiao et al., arXiv 1806.05393, section 2.4 and algorithm 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class DeltaOrthogonalOptions(Options):
    """Options of ``delta_orthogonal``."""

    gain: float = Field(1.0, gt=0, description="factor on the orthogonal matrix")


def draw(weight: Tensor, generator: Generator, options: DeltaOrthogonalOptions) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k): zero but for an orthogonal centre tap.

    With c_out >= c_in and circular padding the layer keeps the norm of its input (times
    ``gain``). With fewer filters than inputs no layer can, and the rows are orthogonal instead.
    """
    import torch
    from torch.nn import init

    centre = init.orthogonal_(weight.new_empty(weight.shape[:2]), options.gain, generator)
    with torch.no_grad():
        weight.zero_()
        weight[_centre(weight.shape)] = centre


def _centre(shape: tuple[int, ...]) -> tuple[slice | int, ...]:
    """The tap that a padding of kernel // 2 lays over the pixel itself."""
    return (slice(None), slice(None), *(int(size) // 2 for size in shape[2:]))


COMPONENT = Initializer(
    name="delta_orthogonal",
    summary="Zero but for an orthogonal centre tap: an isometry of the channels.",
    draw=draw,
    options=DeltaOrthogonalOptions,
)
