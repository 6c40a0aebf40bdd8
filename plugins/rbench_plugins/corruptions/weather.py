"""Snow, frost, fog and brightness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rbench_plugins.corruptions.blur import streaked, zoomed
from rbench_plugins.corruptions.noise import Floats, Randoms

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

FROST = (
    ((0.30, 0.58, 0.65), 0.08),
    ((0.79, 0.81, 0.84), 0.09),
    ((0.79, 0.81, 0.84), 0.09),
    ((0.54, 0.60, 0.65), 0.11),
    ((0.44, 0.48, 0.53), 0.17),
)
"""Mean color and standard deviation of the five photographs behind the published frost."""
FROST_SLOPE = -0.9
"""Of the amplitude over the frequency, in logarithms: the mean of those photographs."""


def snow(
    x: Floats,
    randoms: Randoms,
    mean: float,
    std: float,
    zoom: float,
    threshold: float,
    radius: float,
    sigma: float,
    share: float,
) -> Floats:
    """Enlarged bright noise, streaked at -135 to -45 degrees, on a whitened image."""
    size = x.shape[1:3]
    noise = np.stack([r.normal(mean, std, size) for r in randoms])[..., None].astype(np.float32)
    flakes = zoomed(noise, zoom)
    flakes = np.where(flakes < threshold, 0, flakes)
    flakes = (np.floor(flakes.clip(0, 1) * 255) / 255).astype(np.float32)
    angles = np.array([r.uniform(-135, -45) for r in randoms])
    flakes = streaked(flakes, angles, int(radius), sigma)
    white = np.maximum(x, grey(x) * 1.5 + 0.5)
    return share * x + (1 - share) * white + flakes + flakes[:, ::-1, ::-1]


def frost(x: Floats, randoms: Randoms, image_share: float, frost_share: float) -> Floats:
    """The image and a texture of frost, each by its share.

    The texture is noise of random phase with a power law's spectrum; see the package for why.
    """
    layers = np.stack([_frost(r, x.shape[1], x.shape[2]) for r in randoms])
    if x.shape[-1] == 1:
        layers = grey(layers)
    return image_share * x + frost_share * layers


def fog(x: Floats, randoms: Randoms, thickness: float, decay: float) -> Floats:
    """A fractal cloud is added, and the sum scaled back to the image's largest value."""
    largest = x.max((1, 2, 3), keepdims=True)
    clouds = plasma(randoms, max(x.shape[1:3]), decay)[:, : x.shape[1], : x.shape[2], None]
    return (x + thickness * clouds) * largest / (largest + thickness)


def brightness(x: Floats, randoms: Randoms, amount: float) -> Floats:
    """``amount`` is added to the V of HSV."""
    value = x.max(-1, keepdims=True)
    brighter = (value + amount).clip(0, 1)
    return np.where(value > 0, x * (brighter / np.maximum(value, 1e-12)), brighter)


def grey(x: Floats) -> Floats:
    """(..., 3) -> (..., 1) by ITU-R 601-2; (..., 1) unchanged."""
    return x if x.shape[-1] == 1 else (x @ LUMA)[..., None]


def plasma(randoms: Randoms, size: int, decay: float) -> Floats:
    """(N, S, S) in [0, 1], S the next power of two from ``size``: the diamond-square algorithm.

    On a torus, from one corner on: the middle of every square, then of every diamond, is the mean
    of its four corners plus uniform noise. The noise's amplitude falls by ``decay`` squared at
    every halving, since the published code multiplies it in twice.
    """
    side = 1 << max(1, (size - 1).bit_length())
    field = np.zeros((len(randoms), side, side))
    step, amplitude = side, 100.0**2

    def noise(count: int) -> NDArray[np.float64]:
        return amplitude * np.stack([r.uniform(-1, 1, (count, count)) for r in randoms])

    while step >= 2:
        half, count = step // 2, side // step
        corners = field[:, ::step, ::step]
        pairs = corners + np.roll(corners, -1, axis=1)
        middles = (pairs + np.roll(pairs, -1, axis=2)) / 4 + noise(count)
        field[:, half::step, half::step] = middles
        above = middles + np.roll(middles, 1, axis=1) + corners + np.roll(corners, -1, axis=2)
        field[:, ::step, half::step] = above / 4 + noise(count)
        left = middles + np.roll(middles, 1, axis=2) + corners + np.roll(corners, -1, axis=1)
        field[:, half::step, ::step] = left / 4 + noise(count)
        step, amplitude = half, amplitude / decay**2
    field -= field.min((1, 2), keepdims=True)
    return (field / field.max((1, 2), keepdims=True)).astype(np.float32)


def _frost(random: np.random.Generator, height: int, width: int) -> Floats:
    """(H, W, 3) in [0, 1]."""
    color, std = FROST[random.integers(len(FROST))]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(random.standard_normal((height, width))) * frequency**FROST_SLOPE
    texture = np.fft.irfft2(spectrum, (height, width))
    texture *= std / max(float(texture.std()), 1e-12)
    return (np.array(color) + texture[..., None]).clip(0, 1).astype(np.float32)
