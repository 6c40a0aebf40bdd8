"""Gaussian, shot and impulse noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Randoms = Sequence[np.random.Generator]


def gaussian_noise(x: Floats, randoms: Randoms, std: float) -> Floats:
    """Normal noise of standard deviation ``std`` on every value."""
    noise = [r.standard_normal(x.shape[1:], dtype=np.float32) for r in randoms]
    return x + np.float32(std) * np.stack(noise)


def shot_noise(x: Floats, randoms: Randoms, photons: float) -> Floats:
    """Poisson noise of ``photons`` events at the value 1."""
    counts = [r.poisson(image * photons) for r, image in zip(randoms, x, strict=True)]
    return (np.stack(counts) / photons).astype(np.float32)


def impulse_noise(x: Floats, randoms: Randoms, amount: float) -> Floats:
    """A share ``amount`` of the values is set to 0 or 1, with equal probability."""
    where = np.stack([r.random(x.shape[1:]) for r in randoms])
    salt = np.stack([r.random(x.shape[1:]) < 0.5 for r in randoms])
    return np.where(where < amount, salt.astype(np.float32), x)
