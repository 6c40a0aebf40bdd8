"""A normal distribution without its tails, as timm starts its transformers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class TruncNormalOptions(Options):
    """Options of ``trunc_normal``."""

    std: float | None = Field(
        0.02, gt=0, description="standard deviation before the cut; none: 1/sqrt(fan_in)"
    )
    cutoff: float = Field(
        2.0, gt=0, description="values end at plus and minus so many standard deviations"
    )


def draw(weight: Tensor, generator: Generator, options: TruncNormalOptions) -> None:
    """Fill ``weight`` with N(0, std^2) restricted to [-cutoff std, cutoff std].

    The variance is below std^2: 0.774 std^2 at the default cutoff. timm's ``trunc_normal_`` cuts
    at plus and minus 2 (not 2 std) unless told otherwise, which for its std of 0.02 cuts nothing:
    cutoff=100.
    """
    from torch.nn import init

    std = options.std if options.std is not None else 1 / math.sqrt(weight[0].numel())
    bound = options.cutoff * std
    init.trunc_normal_(weight, 0.0, std, -bound, bound, generator)


COMPONENT = Initializer(
    name="trunc_normal",
    summary="Normal without its tails: N(0, std^2) cut at plus and minus cutoff std.",
    draw=draw,
    options=TruncNormalOptions,
)
