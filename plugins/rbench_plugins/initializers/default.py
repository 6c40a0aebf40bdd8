"""PyTorch's own distribution for convolutions, which P2 uses (section 3; facts B1)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rbench import Initializer, NoOptions

if TYPE_CHECKING:
    from torch import Generator, Tensor


def draw(weight: Tensor, generator: Generator, options: NoOptions) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k) with U(+-1/sqrt(c_in/groups k^2)).

    Numbers and order of draws are those of ``nn.Conv2d.reset_parameters``.
    """
    from torch.nn import init

    init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)


COMPONENT = Initializer(
    name="default",
    summary="PyTorch's default for convolutions: U(+-1/sqrt(fan_in)).",
    draw=draw,
)
