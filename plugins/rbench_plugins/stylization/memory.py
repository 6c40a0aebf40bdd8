"""Estimates the memory that a pair needs before it is allocated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
import torch

from rbench import UserError

COPIES = 12
"""Maps of the size of V that are alive at once: start, coefficients, gradients, Adam's moments."""
KEPT = 7
"""Maps that each convolution of the loss network keeps for the backward pass."""
SHARE = 0.7
"""Share of the free memory that one batch may use."""


@dataclass(frozen=True)
class Cost:
    """Bytes of one pair at any size, from the numbers of channels."""

    features: int
    stride: int
    widths: Sequence[int]
    convs: Sequence[int]
    optimized: bool
    margin: int = 0

    def bytes(self, content: tuple[int, int], style: tuple[int, int]) -> int:
        """For images of these (height, width), an upper estimate."""
        edges = 2 * self.margin
        pixels = (content[0] + edges) * (content[1] + edges)
        both = pixels + (style[0] + edges) * (style[1] + edges)
        # Encoding and the fit of the mapping hold maps of both images in double precision;
        # the optimization comes after.
        fit = self.features * 8 * both / self.stride**2
        steps = 0.0
        if self.optimized:
            steps = COPIES * self.features * pixels / self.stride**2
            for block, (width, count) in enumerate(zip(self.widths, self.convs, strict=True), 1):
                steps += KEPT * width * count * pixels / (self.stride * 2**block) ** 2
        return int(4 * (max(fit, steps) + 12 * both))

    def largest(
        self, content: tuple[int, int], style: tuple[int, int], budget: float
    ) -> tuple[int, int]:
        """The largest (height, width) of the content's shape that ``budget`` bytes allow."""
        scale = math.sqrt(budget / self.bytes(content, style))
        # The margin weighs more on a smaller image: take it off the scaled one.
        edges = 2 * self.margin * max(0.0, 1 - scale)
        return max(1, int(content[0] * scale - edges)), max(1, int(content[1] * scale - edges))


def free_bytes(device: torch.device) -> int:
    """Free memory of the device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def batch_size(
    cost: Cost, content: tuple[int, int], style: tuple[int, int], free: int, most: int
) -> int:
    """Pairs that fit at once, up to ``most``. UserError, with the largest size, if not even one."""
    one, budget = cost.bytes(content, style), SHARE * free
    if one > budget:
        height, width = cost.largest(content, style, budget)
        raise UserError(
            f"{content[1]}x{content[0]} pixels need about {one / 2**30:.1f} GiB of memory, "
            f"{budget / 2**30:.1f} GiB can be had: at most --img-size {height} {width}"
        )
    return max(1, min(most, int(budget // one)))
