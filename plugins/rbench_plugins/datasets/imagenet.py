"""ImageNet-1k (ILSVRC 2012) as everybody unpacks it: ``train/<wnid>/`` and ``val/<wnid>/``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rbench import DataContext, Dataset, Options, UserError
from rbench_plugins.datasets.folders import sampled_revision
from rbench_plugins.datasets.image_folder import streamed_data
from rbench_plugins.datasets.published import data_dir
from rbench_plugins.datasets.splits import two_splits

if TYPE_CHECKING:
    from rbench import ImageData


HELD_OUT = ("val", "validation")


class ImageNetOptions(Options):
    """Options of ``imagenet``."""

    crop_pct: float = Field(
        0.95, gt=0, le=1, description="center crop in evaluation (ResNet strikes back: 0.95)"
    )
    check: bool = Field(
        False,
        exclude=True,  # changes no number
        description="decode all images once before training, to find broken ones",
    )


def open_imagenet(context: DataContext, options: ImageNetOptions) -> ImageData:
    """Both splits, streamed, 224 pixels unless told otherwise; a thousand classes or an error."""
    root = data_dir(context, "imagenet")
    if context.download:
        raise UserError(
            "imagenet cannot be downloaded without an account; unpack image-net.org's archives "
            "into train/<wnid>/ and val/<wnid>/"
        )
    train, test, classes = two_splits(root, HELD_OUT)
    if len(classes) != 1000:
        raise UserError(
            f"{root} has {len(classes)} classes, ImageNet has 1000; for a part of it use "
            "--dataset image_folder"
        )
    splits = (train, test)
    return streamed_data(
        context,
        "imagenet",
        splits,
        [[str(file.size).encode() for file in split.files] for split in splits],
        classes,
        options.crop_pct,
        lambda left_out: sampled_revision(splits),
        options.check,
    )


def identity(context: DataContext, options: ImageNetOptions) -> str:
    """A digest of all names and sizes and of a sample of the contents.

    ImageNet is passed around at several resolutions under the same names.
    """
    root = data_dir(context, "imagenet")
    return sampled_revision(two_splits(root, HELD_OUT)[:2])


COMPONENT = Dataset(
    name="imagenet",
    title="ImageNet",
    summary="ImageNet-1k in class folders, streamed (1,281,167 train, 50,000 val).",
    open=open_imagenet,
    options=ImageNetOptions,
    identity=identity,
    recipe="a2",
)
