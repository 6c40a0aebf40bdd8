"""Opens the dataset that ``datasets/imagenet.py`` describes."""

from __future__ import annotations

from rbench import DataContext, ImageData, UserError
from rbench_plugins.datasets.contents import sampled_revision
from rbench_plugins.datasets.functions.image_folder import streamed_data
from rbench_plugins.datasets.identity.imagenet import HELD_OUT
from rbench_plugins.datasets.imagenet import ImageNetOptions
from rbench_plugins.datasets.published import data_dir
from rbench_plugins.datasets.splits import two_splits


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
