"""A first-order prediction of E sin^2 of the angle between f and f*, beyond the paper."""

from __future__ import annotations

import hashlib
from functools import partial

import torch
from torch import Tensor

from rbench import UserError
from rbench_plugins.theory.constants import gaussian_moments, h, h_squares
from rbench_plugins.theory.covariance_limit import (
    Covariance,
    covariance,
    rectified,
    without_weights,
)
from rbench_plugins.theory.stack import Conv, Layer, Stack, window_sums

MOST_KEPT = 4096
_KEPT: dict[tuple[tuple[Layer, ...], str], list[float]] = {}


def predicted_sin2(stack: Stack, image: Tensor) -> list[float]:
    """Each convolution's share of E sin^2 Theta, to first order in 1/N, for one (C, H, W) image.

    See :func:`_shares`, whose numbers for width 1 are kept from run to run of one process: a
    sweep over widths computes them once.
    """
    plain = tuple(
        Conv(layer.window, width=1) if isinstance(layer, Conv) else layer for layer in stack.layers
    )
    content = image.detach().double().contiguous()
    key = hashlib.sha256(content.numpy().tobytes()).hexdigest()
    shares = _KEPT.get((plain, key))
    if shares is None:
        shares = _shares(Stack(plain), content)
        if len(_KEPT) >= MOST_KEPT:
            _KEPT.clear()
        _KEPT[plain, key] = shares
    return [share / conv.width for share, conv in zip(shares, stack.convs, strict=True)]


def _shares(stack: Stack, image: Tensor) -> list[float]:
    """Each convolution's share of E sin^2 Theta, to first order in 1/N, for one (C, H, W) image.

    The sum is the prediction. Two layers: (pi/N)(1 - p^T H p), p = z^2 / sum z^2, H = h(angles
    between windows), from E f f^T (Lemma 5): the variance of f across f*, over |f*|^2.

    More layers: each convolution draws on its own, so to first order the shares add up. The
    squared norms after convolution i fluctuate with covariance
    (k2^2/N_i) z_j^2 z_k^2 (h_squares - 1); they travel to the last (z*)^2 through the linear
    window sums, and a change of (z*)^2 moves f by k1/(2 z*) times it. The angles between
    windows come from the covariance recursion, so at most 64x64 pixels and no pooling:
    UserError. Valid where the prediction is small against 1.
    """
    if stack.pools:
        raise UserError("the first-order prediction covers convolutions and upsamplings, not pools")
    segments = list(stack.segments())
    c, shares = covariance(image), list[Covariance]()
    windows = c
    for before, conv in segments:
        # What earlier layers' noise in the squared norms becomes in this layer's windows.
        into_windows = partial(window_sums, before, conv)
        shares = [share.both_sides(into_windows) for share in shares]
        for layer in before:
            c = without_weights(layer, c)
        windows = c.windows(conv.window)
        if conv is segments[-1][1]:
            break
        k2 = gaussian_moments(conv.std).k2 * conv.scale**2 * conv.width
        # ``shares`` hold noise in units where later k2 are still to come: scale all by this k2.
        shares = [Covariance(k2**2 * share.values) for share in shares]
        squares = k2 * windows.norms**2
        noise = (h_squares(windows.cosines) - 1) / conv.width
        shares.append(Covariance(squares[:, :, None, None] * squares * noise))
        c = rectified(windows, conv)
    z = windows.norms.flatten()
    length = z.norm()
    inverse = torch.where(z > 0, 0.5 / z, 0.0)
    result = [
        float(_across(share.values.reshape(len(z), len(z)), inverse, z / length) / length**2)
        for share in shares
    ]
    p = (z / length) ** 2
    overlap = p @ h(windows.cosines).reshape(len(z), len(z)) @ p
    last = segments[-1][1]
    ratio = gaussian_moments().k2 / gaussian_moments().k1 ** 2  # pi
    result.append(float(ratio * (1 - overlap) / last.width))
    return result


def _across(noise: Tensor, gain: Tensor, along: Tensor) -> Tensor:
    """tr(P G M G P) with G = diag(gain) and P the projection across the unit vector ``along``."""
    scaled = along * gain
    return (noise.diagonal() * gain * gain).sum() - scaled @ noise @ scaled


__all__ = ["predicted_sin2"]
