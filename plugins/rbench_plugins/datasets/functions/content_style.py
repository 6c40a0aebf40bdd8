"""Opens the dataset that ``datasets/content_style.py`` describes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import skimage.data
import torch
from PIL import Image

from rbench import DataContext, ImageData, MemoryImages, UserError, fit_image
from rbench_plugins.datasets.content_style import ContentStyleOptions
from rbench_plugins.datasets.identity.content_style import identity, sources
from rbench_plugins.datasets.reading import open_image

SIDE = 160
"""Pixels of the shorter side where no size is asked for and the images are larger."""
LARGEST = 8192


def open_pairs(context: DataContext, options: ContentStyleOptions) -> ImageData:
    """Contents as ``test``, styles as ``train``; each cropped to one shape and resized.

    That is ``--img-size``, or else: the shape of the contents where all have one, a square where
    they have not; at most 160 pixels on its shorter side. Grey images become RGB.
    """
    if context.in_chans not in (None, 3):
        raise UserError(f"content_style is in color: --in-chans {context.in_chans} cannot be had")
    skipped: list[str] = []
    contents, styles = sources(context, options, skipped)
    pictures = [_open(source) for source in contents]
    size = context.img_size or _common_size(pictures, context)
    if max(size) > LARGEST:
        raise UserError(f"--img-size {size[0]} {size[1]}: at most {LARGEST} pixels a side")
    scaled = tuple(max(1, round(side * options.style_scale)) for side in size)

    def load(
        found: list[str | Path], size: tuple[int, ...], opened: list[Image.Image]
    ) -> MemoryImages:
        images = []
        for number, source in enumerate(found):
            image = fit_image(opened[number] if opened else _open(source), (size[0], size[1]))
            images.append(torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1))
        names = [s if isinstance(s, str) else s.stem for s in found]
        return MemoryImages(torch.stack(images), None, names)

    return ImageData(
        name="content_style",
        revision=identity(context, options),
        in_chans=3,
        img_size=(size[0], size[1]),
        train=load(styles, scaled, []),
        test=load(contents, size, pictures),
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        skipped=skipped,
    )


def _open(source: str | Path) -> Image.Image:
    if isinstance(source, Path):
        return open_image(source)
    array = getattr(skimage.data, source)()
    if array.dtype == bool:
        array = array.astype("uint8") * 255
    return Image.fromarray(array).convert("RGB")


def _common_size(pictures: list[Image.Image], context: DataContext) -> tuple[int, int]:
    width, height = pictures[0].size
    shapes = {round(p.width / p.height, 2) for p in pictures}
    short = min(SIDE, *(side for p in pictures for side in p.size))
    if len(shapes) > 1:
        context.note(
            f"contents of different shapes are cropped to squares of {short} pixels; --img-size "
            "chooses another size"
        )
        return short, short
    scale = short / min(width, height)
    return max(1, round(height * scale)), max(1, round(width * scale))
