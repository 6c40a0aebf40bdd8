"""What the task ``stylization`` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rbench import Outcome

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(kw_only=True)
class StylizationOutcome(Outcome):
    """Contents in the style of other images, all in [0, 1] and on the CPU.

    ``contents`` (C, 3, H, W), ``styles`` (S, 3, h, w), ``pairs`` (P) of (content, style) indices,
    ``outputs`` (K, P, 3, H, W): K random networks each made a picture of every pair.
    """

    contents: Tensor
    styles: Tensor
    pairs: list[tuple[int, int]]
    outputs: Tensor
    content_names: list[str]
    style_names: list[str]
    seconds_per_image: float
    passes_per_image: float
    """Forward and backward passes through a network that a picture took."""
