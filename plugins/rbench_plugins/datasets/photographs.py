"""Photographs that come inside scikit-image and scikit-learn: nothing to download, the cat first.

The reconstructions of P1 are judged on photographs. ``test`` holds eight whole ones; ``train``
holds random crops of the others, so that a DCN can be trained anywhere and is judged on images
that it has not seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from rbench import DataContext, Dataset, Options

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from rbench import ImageData

TEST = {
    "cat": "chelsea.png",
    "astronaut": "astronaut.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
    "china": "china.jpg",
    "flower": "flower.jpg",
    "camera": "camera.png",
    "motorcycle": "motorcycle_left.png",
}
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


class PhotographOptions(Options):
    """Options of ``photographs``."""

    images: int = Field(len(TEST), ge=1, le=len(TEST), description="test photographs, cat first")
    crops: int = Field(512, ge=1, le=100_000, description="training crops of other photographs")


def open_photographs(context: DataContext, options: PhotographOptions) -> ImageData:
    """224x224 RGB by default, which is P1's size."""
    from importlib.metadata import version

    import numpy as np

    from rbench import ImageData, MemoryImages, fit_image
    from rbench_plugins.datasets.memory import channelled, moments_of

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
    import numpy as np
    from PIL.Image import Resampling

    from rbench import largest_crop

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
    import numpy as np
    import torch

    return torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy())


def _image(name: str) -> Image:
    import skimage
    import sklearn

    from rbench_plugins.datasets.reading import open_image

    skimage_file = Path(skimage.__file__).parent / "data" / name
    sklearn_file = Path(sklearn.__file__).parent / "datasets" / "images" / name
    return open_image(skimage_file if skimage_file.is_file() else sklearn_file)


COMPONENT = Dataset(
    name="photographs",
    summary="Eight photographs embedded in scikit-image and scikit-learn, the cat first.",
    open=open_photographs,
    options=PhotographOptions,
    recipe="p1_dcn",
    needs_data_dir=False,
)
