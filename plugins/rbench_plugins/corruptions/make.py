"""Corrupt batches of images by name and severity."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from rbench import UserError
from rbench_plugins.corruptions import blur, digital, noise, weather
from rbench_plugins.corruptions.noise import Floats
from rbench_plugins.corruptions.tables import NAMES, TABLES, Scale, scale_for

FUNCTIONS: dict[str, Callable[..., Floats]] = {
    "gaussian_noise": noise.gaussian_noise,
    "shot_noise": noise.shot_noise,
    "impulse_noise": noise.impulse_noise,
    "defocus_blur": blur.defocus_blur,
    "glass_blur": blur.glass_blur,
    "motion_blur": blur.motion_blur,
    "zoom_blur": blur.zoom_blur,
    "snow": weather.snow,
    "frost": weather.frost,
    "fog": weather.fog,
    "brightness": weather.brightness,
    "contrast": digital.contrast,
    "elastic_transform": digital.elastic_transform,
    "pixelate": digital.pixelate,
    "jpeg_compression": digital.jpeg_compression,
}


def corrupt(
    images: Tensor,
    name: str,
    severity: int,
    *,
    numbers: Sequence[int],
    seed: int = 0,
    scale: Scale | None = None,
) -> Tensor:
    """Images (N, C, H, W) float32 in [0, 1] -> corrupted, 8-bit values of the same shape.

    ``numbers`` (N) are the images' places in their dataset, from which with ``seed``, ``name``
    and ``severity`` the random choices come. UserError unless C is 1 or 3.
    """
    channels, height, width = images.shape[1:]
    if channels not in (1, 3):
        raise UserError(f"corruptions are made of grey or RGB images, not of {channels} channels")
    parameters = parameters_of(name, severity, height, width, scale)
    place = NAMES.index(name)
    randoms = [np.random.default_rng([seed, place, severity, number]) for number in numbers]
    x = images.cpu().movedim(1, -1).contiguous().numpy().astype(np.float32)
    changed = FUNCTIONS[name](x, randoms, *parameters)
    # The published sets cut off the fraction; a value that was 8-bit before must not lose one.
    pixels = np.floor(changed.clip(0, 1) * 255 + 1e-3).astype(np.float32) / 255
    return torch.from_numpy(np.ascontiguousarray(pixels)).movedim(-1, 1).to(images.device)


def parameters_of(
    name: str, severity: int, height: int, width: int, scale: Scale | None = None
) -> tuple[float, ...]:
    """The function's arguments, lengths in pixels."""
    scale = scale or scale_for(height, width)
    row = TABLES[scale][name][severity - 1]
    if name == "elastic_transform":
        size = min(height, width) * (244 / 224 if scale == "imagenet" else 1)
        return tuple(value * size for value in row)
    return row
