"""Opens the dataset that ``datasets/photographs.py`` describes."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import skimage
import sklearn
import torch
from PIL.Image import Image, Resampling
from torch import Tensor

from rbench import DataContext, ImageData, MemoryImages, fit_image, largest_crop
from rbench_plugins.datasets.memory import channelled, moments_of
from rbench_plugins.datasets.photographs import TEST, PhotographOptions
from rbench_plugins.datasets.reading import open_image

TRAIN = (
    "hubble_deep_field.jpg",
    "ihc.png",
    "retina.jpg",
    "brick.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "moon.png",
    "cell.png",
    "clock_motion.png",
)


def open_photographs(context: DataContext, options: PhotographOptions) -> ImageData:
    """224x224 RGB by default, which is P1's size."""
    size = context.img_size or (224, 224)
    names = list(TEST)[: options.images]
    whole = [np.asarray(fit_image(_image(TEST[name]), size)) for name in names]
    test = channelled(_stack(whole), context.in_chans)
    train = channelled(_stack(_crops(size, options.crops)), context.in_chans)
    mean, std = moments_of(train)
    return ImageData(
        name="photographs",
        revision=", ".join(f"{p} {version(p)}" for p in ("scikit-image", "scikit-learn", "pillow")),
        in_chans=test.shape[1],
        img_size=size,
        train=MemoryImages(train),
        test=MemoryImages(test, names=names),
        mean=mean,
        std=std,
        hflip=0.5,
    )


def _crops(size: tuple[int, int], count: int) -> list[Any]:
    """Random crops, a photograph after another, each of a random scale; always the same ones."""
    rng = np.random.default_rng(0)
    photographs = [_image(name) for name in TRAIN]
    crops = []
    for index in range(count):
        image = photographs[index % len(photographs)]
        full = largest_crop(image, size)
        scale = rng.uniform(0.3, 1.0)
        width, height = (full[2] - full[0]) * scale, (full[3] - full[1]) * scale
        left, top = rng.uniform(0, image.width - width), rng.uniform(0, image.height - height)
        box = (left, top, left + width, top + height)
        small = image.resize((size[1], size[0]), Resampling.BICUBIC, box=box, reducing_gap=3.0)
        crops.append(np.asarray(small))
    return crops


def _stack(images: list[Any]) -> Tensor:
    return torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy())


def _image(name: str) -> Image:
    skimage_file = Path(skimage.__file__).parent / "data" / name
    sklearn_file = Path(sklearn.__file__).parent / "datasets" / "images" / name
    return open_image(skimage_file if skimage_file.is_file() else sklearn_file)
