"""Grids of small pictures with a caption on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

MARGIN, LINE, SMALLEST = 4, 15, 160


@dataclass(frozen=True)
class Tile:
    """An image (C, H, W) or (1, H, W) in [0, 1] and what stands above it."""

    image: Tensor
    caption: str = ""


def grid(rows: Sequence[Sequence[Tile]]) -> Image.Image:
    """Rows of tiles on white, small images enlarged by whole factors without smoothing."""
    pictures = [[_picture(tile.image) for tile in row] for row in rows]
    width = max(p.width for row in pictures for p in row) + MARGIN
    height = max(p.height for row in pictures for p in row) + MARGIN + LINE
    columns = max(map(len, pictures))
    sheet = Image.new("RGB", (columns * width + MARGIN, len(rows) * height + MARGIN), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for y, (row, tiles) in enumerate(zip(pictures, rows, strict=True)):
        for x, (picture, tile) in enumerate(zip(row, tiles, strict=True)):
            left, top = MARGIN + x * width, MARGIN + y * height
            pen.text((left, top - 1), tile.caption, "black", font)
            sheet.paste(picture, (left, top + LINE))
    return sheet


def _picture(image: Tensor) -> Image.Image:
    pixels = (image.detach().float().clamp(0, 1) * 255).round().byte().cpu()
    pixels = pixels.expand(3, -1, -1) if pixels.shape[0] == 1 else pixels
    picture = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    factor = max(1, -(-SMALLEST // max(picture.size)))
    if factor == 1:
        return picture
    size = (picture.width * factor, picture.height * factor)
    return picture.resize(size, Image.Resampling.NEAREST)
