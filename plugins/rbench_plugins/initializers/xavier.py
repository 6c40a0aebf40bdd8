"""Glorot and Bengio's weights (AISTATS 2010, equations 12 and 16)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rbench import Initializer, Options

if TYPE_CHECKING:
    from torch import Generator, Tensor


class XavierOptions(Options):
    """Options of ``xavier``."""

    distribution: Literal["normal", "uniform"] = "uniform"
    gain: float = Field(1.0, gt=0, description="factor on every weight")


def draw(weight: Tensor, generator: Generator, options: XavierOptions) -> None:
    """Fill ``weight`` with variance gain^2 2 / (fan_in + fan_out), PyTorch's count of both.

    For (c_out, c_in/groups, k, k): fan_in = c_in/groups k^2, fan_out = c_out k^2.
    """
    from torch.nn import init

    fill = init.xavier_normal_ if options.distribution == "normal" else init.xavier_uniform_
    fill(weight, options.gain, generator)


COMPONENT = Initializer(
    name="xavier",
    summary="Glorot's distribution: variance 2/(fan_in + fan_out), normal or uniform.",
    draw=draw,
    options=XavierOptions,
)
