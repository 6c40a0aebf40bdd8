"""Theorem 10: the limit under average pooling, by a recursion on covariances of pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from rbench import UserError
from rbench_plugins.theory.constants import gaussian_moments, h
from rbench_plugins.theory.l2_limit import Limit
from rbench_plugins.theory.stack import Conv, Layer, Pool, Stack, Upsample, Window

MOST_PIXELS = 64 * 64


@dataclass(frozen=True)
class Covariance:
    """C_jk = sum over channels of X_j X_k as (H, W, H, W) float64."""

    values: Tensor

    def both_sides(self, linear: Callable[[Tensor], Tensor]) -> Covariance:
        """A C A^T for a linear map A on (..., H, W)."""
        once = linear(self.values)
        return Covariance(linear(once.permute(2, 3, 0, 1)).permute(2, 3, 0, 1))

    def windows(self, window: Window) -> Covariance:
        """S_jk = sum over the taps s of C[D_j,s, D_k,s]: inner products of windows."""
        left, right, top, bottom = window.padding
        padded = F.pad(self.values, (left, right, top, bottom)).permute(2, 3, 0, 1)
        padded = F.pad(padded, (left, right, top, bottom))
        (high, wide), (down, across) = window.kernel, window.stride
        if padded.shape[0] < high or padded.shape[1] < wide:
            raise UserError(f"a window of {high}x{wide} does not fit the map: take larger images")
        rows = (padded.shape[0] - high) // down + 1
        columns = (padded.shape[1] - wide) // across + 1
        tall = padded.new_zeros(rows, padded.shape[1], rows, padded.shape[3])
        for tap in range(high):  # one axis after the other: k_h + k_w sums instead of k_h k_w
            at = slice(tap, tap + down * (rows - 1) + 1, down)
            tall += padded[at, :, at, :]
        out = padded.new_zeros(rows, columns, rows, columns)
        for tap in range(wide):
            at = slice(tap, tap + across * (columns - 1) + 1, across)
            out += tall[:, at, :, at]
        return Covariance(out)

    @property
    def norms(self) -> Tensor:
        """z = sqrt(diag): (H, W)."""
        height, width = self.values.shape[:2]
        flat = self.values.reshape(height * width, height * width)
        return flat.diagonal().clamp_min(0).sqrt().reshape(height, width)

    @property
    def cosines(self) -> Tensor:
        """C / (z z^T), 0 where a pixel is zero: (H, W, H, W)."""
        z = self.norms
        product = z[:, :, None, None] * z
        return torch.where(product > 0, self.values / product, 0.0)


def covariance(image: Tensor) -> Covariance:
    """C(0) = X^T X of ``image`` (C, H, W); UserError beyond 64x64 pixels."""
    height, width = image.shape[-2:]
    _check(height * width, f"{height}x{width}")
    return Covariance(torch.einsum("cij,ckl->ijkl", image.double(), image.double()))


def rectified(windows: Covariance, conv: Conv) -> Covariance:
    """C of the next maps in the limit: k2 h(cosines) z z^T (Lemma 5), times scale^2 width."""
    z = windows.norms
    k2 = gaussian_moments(conv.std).k2 * conv.scale**2 * conv.width
    return Covariance(k2 * h(windows.cosines) * z[:, :, None, None] * z)


def without_weights(layer: Layer, c: Covariance) -> Covariance:
    """C after a pool or an upsampling. An average pool divides by its r, padding included.

    Printed for zero insertion: C'[j k_m] = C[jk] for l = m = 1, with l undefined and one pixel's
    two subscripts read as two pixels'; meant is that both pixels sit at the top left of their
    blocks, which A C A^T with the 0/1 matrix A of the insertion says
    (test_covariance_limit.py::test_zero_insertion_of_covariances).
    """
    if isinstance(layer, Upsample):
        height, width = c.values.shape[:2]
        _check(height * width * layer.factor**2, f"{height * layer.factor}x{width * layer.factor}")
        return c.both_sides(layer.spread)
    assert isinstance(layer, Pool)
    taps = layer.window.taps
    return c.both_sides(lambda maps: layer.window.sum(maps) / taps)


def covariance_limit(stack: Stack, image: Tensor) -> Limit:
    """f* of one ``image`` (C, H, W) where pools are average pools (max: the nearest that is known).

    Memory grows with the square of the pixels: at most 64x64, UserError beyond. Without pools
    the result equals :func:`rbench_plugins.theory.l2_limit.l2_limit`. An l2 pool has no such
    recursion: the covariance of norms is not a function of the covariances. UserError.
    """
    if "l2" in stack.pools:
        raise UserError("the covariance recursion covers average pooling, not l2: ask for limit=l2")
    c = covariance(image)
    windows = c
    for before, conv in stack.segments():
        for layer in before:
            c = without_weights(layer, c)
        windows = c.windows(conv.window)
        c = rectified(windows, conv)
    last = stack.convs[-1]
    k1 = gaussian_moments(last.std).k1 * last.scale
    return Limit(z=windows.norms, k=k1, printed_k=k1)


def _check(pixels: int, size: str) -> None:
    if pixels > MOST_PIXELS:
        raise UserError(
            f"the covariance recursion holds a number for each pair of pixels: {size} is too "
            "large, 64x64 is the most; take --img-size 64 or less, or l2 pooling"
        )


__all__ = [
    "MOST_PIXELS",
    "Covariance",
    "covariance",
    "covariance_limit",
    "rectified",
    "without_weights",
]
