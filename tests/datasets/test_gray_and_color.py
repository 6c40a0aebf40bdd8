"""timm's readers: a set with gray and color images is a color set, in both splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rbench_plugins.datasets import timm_readers

from rbench import DataContext, ImageData, MemoryImages

SPLITS = {"train": 6, "validation": 4}
Place = tuple[str, int]


def noise(index: int) -> Image.Image:
    draws = np.random.default_rng(index)
    return Image.fromarray(draws.integers(0, 256, (8, 8, 3), dtype=np.uint8))


def opened(root: Path, gray: set[Place], in_chans: int | None = None) -> ImageData:
    """A folder of which the images at (split, number) in ``gray`` are gray."""
    for split, count in SPLITS.items():
        folder = root / split / "one"
        folder.mkdir(parents=True)
        for index in range(count):
            image = noise(index).convert("L" if (split, index) in gray else "RGB")
            image.save(folder / f"{index}.png")
    component = timm_readers.member("folder")
    assert component is not None
    context = DataContext(name="folder", data_dir=root, in_chans=in_chans)
    data: ImageData = component.open(context, component.options())
    return data


ALL = {(split, index) for split, count in SPLITS.items() for index in range(count)}
TRAIN = {place for place in ALL if place[0] == "train"}


@pytest.mark.parametrize(
    ("gray", "channels"),
    [
        (set(), 3),
        (ALL, 1),
        ({("train", 0)}, 3),
        ({("validation", 0)}, 3),
        (TRAIN, 3),
        (ALL - TRAIN, 3),
        (ALL - {("validation", 3)}, 3),
        (ALL - {("train", 5)}, 3),
    ],
)
def test_a_set_is_gray_where_all_of_its_images_are(
    tmp_path: Path, gray: set[Place], channels: int
) -> None:
    data = opened(tmp_path, gray)
    assert data.in_chans == channels == len(data.mean)
    for split, images in (("train", data.train), ("validation", data.test)):
        assert isinstance(images, MemoryImages)
        for index, pixels in enumerate(images.pixels):
            expected = noise(index)
            if (split, index) in gray:
                expected = expected.convert("L").convert("RGB" if channels == 3 else "L")
            stored = np.asarray(expected).reshape(8, 8, channels).transpose(2, 0, 1)
            assert np.array_equal(pixels.numpy(), stored)


def test_channels_that_are_asked_for_are_those_of_all_images(tmp_path: Path) -> None:
    data = opened(tmp_path, {("train", 0), ("validation", 2)}, in_chans=1)
    assert data.in_chans == 1
