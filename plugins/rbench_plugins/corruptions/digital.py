"""Contrast, elastic transform, pixelation and JPEG compression."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch.nn.functional import affine_grid, grid_sample

from rbench_plugins.corruptions.noise import Floats, Randoms


def contrast(x: Floats, randoms: Randoms, factor: float) -> Floats:
    """Differences from each channel's mean are multiplied by ``factor``."""
    mean = x.mean((1, 2), keepdims=True)
    return (x - mean) * np.float32(factor) + mean


def elastic_transform(
    x: Floats, randoms: Randoms, displacement: float, sigma: float, corners: float
) -> Floats:
    """An affine map of shifted corners, then smooth random displacements; all in pixels."""
    count, height, width, _ = x.shape
    size = np.array([width, height])
    middle, reach = size // 2, min(height, width) // 3
    before = middle + reach * np.array([[1, 1], [1, -1], [-1, -1]])
    shifts = np.stack([r.uniform(-corners, corners, (3, 2)) for r in randoms])
    # Where each output pixel comes from, in grid_sample's coordinates: (-1, 1) is the edge.
    maps = np.stack([_affine(before + shift, before, size) for shift in shifts])
    images = torch.from_numpy(x).movedim(-1, 1)
    grid = affine_grid(torch.from_numpy(maps).float(), list(images.shape), align_corners=True)
    images = grid_sample(images, grid, padding_mode="reflection", align_corners=True)
    if displacement:
        fields = np.stack([r.uniform(-1, 1, (2, height, width)) for r in randoms])
        fields = gaussian_filter(fields, (0, 0, sigma, sigma), mode="reflect", truncate=3)
        moves = torch.from_numpy(fields * displacement).float().movedim(1, -1)
        identity = torch.eye(2, 3).expand(count, 2, 3)
        grid = affine_grid(identity, list(images.shape), align_corners=False)
        # A pixel is 2 / size wide.
        grid = grid + moves * torch.tensor([2 / width, 2 / height])
        images = grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    return np.asarray(images.movedim(1, -1).numpy(), dtype=np.float32)


def pixelate(x: Floats, randoms: Randoms, factor: float) -> Floats:
    """Shrunk to ``factor`` of the size by averaging boxes, and enlarged again."""
    height, width = x.shape[1:3]
    small = (max(1, int(width * factor)), max(1, int(height * factor)))

    def change(image: Image.Image) -> Image.Image:
        shrunk = image.resize(small, Image.Resampling.BOX)
        return shrunk.resize((width, height), Image.Resampling.BOX)

    return np.stack([_array(change(_image(image))) for image in x])


def jpeg_compression(x: Floats, randoms: Randoms, quality: float) -> Floats:
    """Saved as JPEG of ``quality`` and read again."""

    def change(image: Image.Image) -> Image.Image:
        file = BytesIO()
        image.save(file, "JPEG", quality=int(quality))
        return Image.open(file)

    return np.stack([_array(change(_image(image))) for image in x])


def _affine(source: np.ndarray, target: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(2, 3): takes each of three points ``source`` to ``target``, pixels of an image of ``size``
    as (-1, 1)."""

    def scaled(points: np.ndarray) -> np.ndarray:
        return 2 * points / (size - 1) - 1

    rows = np.concatenate([scaled(source), np.ones((3, 1))], axis=1)
    return np.linalg.solve(rows, scaled(target)).T


def _image(x: Floats) -> Image.Image:
    pixels = np.round(x * 255).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _array(image: Image.Image) -> Floats:
    pixels = np.asarray(image, dtype=np.float32) / np.float32(255)
    return pixels[..., None] if pixels.ndim == 2 else pixels
