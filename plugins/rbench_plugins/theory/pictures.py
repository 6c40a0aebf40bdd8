"""The image, its limit f* and an output f, beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

AT_LEAST = 96
"""Pixels that a picture's side is enlarged to, each pixel a square."""


def stretch(image: Tensor) -> Tensor:
    """Map the smallest value of each (..., H, W) to 0 and the largest to 1; a flat one to 0."""
    low = image.amin((-2, -1), keepdim=True)
    size = image.amax((-2, -1), keepdim=True) - low
    return torch.where(size > 0, (image - low) / size, 0.0)


def beside(inputs: Tensor, limits: Tensor, outputs: Tensor) -> Image:
    """A row for each image: input (the norm over channels), f*, f, each stretched to [0, 1].

    All are (images, H, W), of one size or of two (input, output).
    """
    from PIL import Image

    height = max(AT_LEAST, inputs.shape[-2], outputs.shape[-2])
    rows = []
    for three in zip(stretch(inputs), stretch(limits), stretch(outputs), strict=True):
        rows.append(torch.cat([_enlarged(picture, height) for picture in three], 1))
    sheet = torch.cat(rows).mul(255).round().to(torch.uint8)
    return Image.fromarray(sheet.numpy())


def _enlarged(image: Tensor, height: int) -> Tensor:
    times = max(1, height // image.shape[0])
    image = image.repeat_interleave(times, 0).repeat_interleave(times, 1)
    short = height - image.shape[0]
    return torch.nn.functional.pad(image, (2, 2, 2, 2 + short), value=1.0)


__all__ = ["beside", "stretch"]
