"""The part of an image that is used where another shape is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def largest_crop(image: Image, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest centered box (left, top, right, bottom) of the shape of (height, width)."""
    height, width = size
    scale = min(image.width / width, image.height / height)
    # Clipped: rounding can put a border 1e-13 pixels outside, which Pillow refuses.
    left = max(0.0, (image.width - width * scale) / 2)
    top = max(0.0, (image.height - height * scale) / 2)
    right, bottom = left + width * scale, top + height * scale
    return left, top, min(right, float(image.width)), min(bottom, float(image.height))


def fit_image(image: Image, size: tuple[int, int]) -> Image:
    """``image`` at ``size`` (height, width): the largest centered crop of that shape, resized.

    The same as resizing the shorter side and then cropping, but for an image one pixel wide too.
    """
    from PIL.Image import Resampling

    if (image.height, image.width) == size:
        return image
    box = largest_crop(image, size)
    return image.resize((size[1], size[0]), Resampling.BICUBIC, box=box, reducing_gap=3.0)
