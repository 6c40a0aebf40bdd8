"""Angles between images, and small statistics on them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from rbench import UserError


def angle(a: Tensor, b: Tensor) -> Tensor:
    """Radians in [0, pi] between ``a`` and ``b``, taken over the last two axes, in float64.

    By 2 atan2(|u - v|, |u + v|) of the unit vectors: arccos loses half the digits where the
    angle is small. UserError if either is zero everywhere.
    """
    u, v = _unit(a), _unit(b)
    difference, total = (u - v).norm(dim=-1), (u + v).norm(dim=-1)
    return 2 * difference.atan2(total)


def _unit(image: Tensor) -> Tensor:
    flat = image.double().flatten(-2)
    length = flat.norm(dim=-1, keepdim=True)
    if not bool((length > 0).all()):
        raise UserError("an image that is zero everywhere has no angle")
    return flat / length


@dataclass(frozen=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float


def wilson(hits: float, n: int, z: float = 1.959963984540054) -> Interval:
    """Wilson's score interval of a rate of ``hits`` in ``n``; 95 % by default."""
    if n < 1:
        raise UserError("a rate needs at least one observation")
    center = (hits + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(hits * (n - hits) / n + z * z / 4)
    low = 0.0 if hits == 0 else max(0.0, center - half)
    return Interval(low=low, high=1.0 if hits == n else min(1.0, center + half))


__all__ = ["Interval", "angle", "wilson"]
