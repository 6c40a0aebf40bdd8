"""Theorems 1 and 4: the image that a random CNN with l2 pools converges to."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from rbench_plugins.theory.constants import gaussian_moments
from rbench_plugins.theory.stack import Stack, window_sums


@dataclass(frozen=True)
class Limit:
    """f* = k z*. ``z`` (..., H', W') float64; ``k`` is the corrected constant."""

    z: Tensor
    k: float
    printed_k: float

    @property
    def image(self) -> Tensor:
        """f*."""
        return self.k * self.z


def squared_norms(images: Tensor) -> Tensor:
    """(..., C, H, W) -> (..., H, W): the sum over the channels of X^2, in float64."""
    return images.double().square().sum(-3)


def l2_limit(stack: Stack, images: Tensor) -> Limit:
    """f* of ``images`` (..., C, H, W), in memory linear in the number of pixels.

    z*^2 is q = sum over channels of X^2, summed over the windows of layer after layer with the
    layer's kernel, padding and stride; an upsampling spreads q, an l2 pool is one more window
    sum. k2 and the scaling of each convolution go into ``k``.

    Printed (proof of Theorem 4): k = k1 prod k2 and z* = z*(L-2) / prod k2 over the convolutions
    before the last. Right: both with sqrt(k2), since z^2, not z, gains a factor k2 a layer;
    test_l2_limit.py::test_printed_constant_lacks_a_root measures it. Where the 1/sqrt(N) scaling
    is absent, each such layer contributes sqrt(N), and that too is in ``k``.
    """
    squares = squared_norms(images)
    for before, conv in stack.segments():
        squares = window_sums(before, conv, squares)
    k, printed = 1.0, 1.0
    for conv in stack.convs[:-1]:
        k2, gain = gaussian_moments(conv.std).k2, conv.scale * math.sqrt(conv.width)
        k *= math.sqrt(k2) * gain
        printed *= k2 * gain
    last = stack.convs[-1]
    k1 = gaussian_moments(last.std).k1 * last.scale
    return Limit(z=squares.sqrt(), k=k1 * k, printed_k=k1 * printed)


__all__ = ["Limit", "l2_limit", "squared_norms"]
