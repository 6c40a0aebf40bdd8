"""What the task ``reconstruction`` hands to its metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rbench import ImagesOutcome

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(kw_only=True)
class ReconstructionOutcome(ImagesOutcome):
    """Reconstructions by one network or many.

    With n networks, ``inputs`` (M, C, H, W) are the images once, and ``outputs`` (n M, c, H, W)
    are network after network; c is 1 where ``mapping`` gives grey. ``raw`` are the unbounded,
    signed outputs that ``mapping`` and each of ``compare`` turn into images.
    """

    networks: int
    raw: Tensor
    mapping: str
    compare: tuple[str, ...] = ()
    losses: dict[str, Tensor] = field(default_factory=dict)
    """Sums of squared errors (N,), one an image: of ``validation``, and of ``train`` images
    where the network was trained (P1, figure 11)."""
