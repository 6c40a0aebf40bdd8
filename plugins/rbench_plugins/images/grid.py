"""Grids of pictures with captions: the one place that lays pictures out on a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor

CAPTION = 15
"""Pixels of a line of captions."""


@dataclass(frozen=True)
class Tile:
    """An image (3, H, W), (1, H, W) or (H, W) in [0, 1], or nothing, and the caption above it."""

    image: Tensor | None
    caption: str = ""


def grid(
    rows: Sequence[Sequence[Tile]],
    *,
    at_least: int = 160,
    one_size: bool = False,
    gap: int = 4,
    background: str = "white",
) -> Image.Image:
    """Rows of tiles, each in a cell of the largest image's size.

    An image whose longer side is below ``at_least`` pixels is enlarged by a whole factor without
    smoothing. With ``one_size`` all images are fitted into the size of the first. Captions are
    cut off at their cell's width; without any caption there is no room for one.
    """
    pictures = [[_picture(tile.image, at_least) for tile in row] for row in rows]
    present = [picture for row in pictures for picture in row if picture is not None]
    if one_size:
        pictures = [[_within(picture, present[0].size) for picture in row] for row in pictures]
        present = present[:1]
    line = CAPTION if any(tile.caption for row in rows for tile in row) else 0
    width = max(picture.width for picture in present) + gap
    height = max(picture.height for picture in present) + gap + line
    columns = max(map(len, rows))
    sheet = Image.new("RGB", (columns * width + gap, len(rows) * height + gap), background)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for y, (row, tiles) in enumerate(zip(pictures, rows, strict=True)):
        for x, (picture, tile) in enumerate(zip(row, tiles, strict=True)):
            left, top = gap + x * width, gap + y * height
            if tile.caption:
                text = _shortened(tile.caption, pen, font, width - gap)
                pen.text((left, top - 1), text, "black", font)
            if picture is not None:
                sheet.paste(picture, (left, top + line))
    return sheet


def to_pil(image: Tensor) -> Image.Image:
    """(3, H, W), (1, H, W) or (H, W) in [0, 1] -> 8-bit RGB."""
    pixels = (image.detach().float().clamp(0, 1) * 255).round().byte().cpu()
    pixels = pixels[None] if pixels.ndim == 2 else pixels
    return Image.fromarray(pixels.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy())


def stretch(image: Tensor) -> Tensor:
    """Map the smallest value of each (..., H, W) to 0 and the largest to 1; a flat one to 0."""
    low = image.amin((-2, -1), keepdim=True)
    size = image.amax((-2, -1), keepdim=True) - low
    return torch.where(size > 0, (image - low) / size, 0.0)


def _picture(image: Tensor | None, at_least: int) -> Image.Image | None:
    if image is None:
        return None
    picture = to_pil(image)
    factor = max(1, -(-at_least // max(picture.size)))
    if factor == 1:
        return picture
    size = (picture.width * factor, picture.height * factor)
    return picture.resize(size, Image.Resampling.NEAREST)


def _within(picture: Image.Image | None, size: tuple[int, int]) -> Image.Image | None:
    """The whole picture inside ``size``, centered on white."""
    if picture is None or picture.size == size:
        return picture
    return ImageOps.pad(picture, size, Image.Resampling.BICUBIC, color="white")


def _shortened(
    text: str,
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    width: int,
) -> str:
    while len(text) > 1 and pen.textlength(text, font=font) > width:
        text = text[:-2] + "…"
    return text
