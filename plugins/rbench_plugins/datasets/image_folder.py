"""Any folder of images: ``train/<class>/<image>`` and ``test/`` or ``val/`` likewise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from rbench import DataContext, Dataset, Options, content_revision
from rbench_plugins.datasets.folders import (
    Split,
    digests,
    fits,
    load,
    plain,
    revision_of,
    stream,
    two_splits,
)
from rbench_plugins.datasets.memory import moments_of
from rbench_plugins.datasets.published import data_dir

if TYPE_CHECKING:
    from rbench import ImageData

IMAGENET_MOMENTS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HELD_OUT = ("test", "val", "valid", "validation")


class FolderOptions(Options):
    """Options of ``image_folder``."""

    hflip: float = Field(0.5, ge=0, le=1, description="flip probability that suits the images")
    crop_pad: int | None = Field(
        None, ge=0, description="padding of random crops that suits them; none: an eighth of a side"
    )
    stream: bool | None = Field(
        None, description="read images when needed; none: where they take 2 GiB or more"
    )
    crop_pct: float = Field(
        0.875, gt=0, le=1, description="centre crop of streamed images in evaluation"
    )


def open_folder(context: DataContext, options: FolderOptions) -> ImageData:
    """The two splits, classes in the order of their sorted names.

    For a task without labels: all images of a folder that has no ``train/``, as test images.

    In memory, images are cropped to the shape of ``--img-size`` and resized to it; without it
    they must all have one size. The revision is made of all names and contents.
    """
    root = data_dir(context, "image_folder")
    if _is_plain(context, root):
        return _unlabelled(context, plain(root))
    train, test, classes = two_splits(root, HELD_OUT)
    size = context.img_size
    if options.stream is None and size is None:
        from rbench_plugins.datasets.reading import open_image

        first = open_image(train.paths[0])
        guess = (first.height, first.width)
    else:
        guess = size or (224, 224)
    streamed = options.stream
    if streamed is None:
        streamed = not fits((train, test), guess, context.in_chans or 3)
    if streamed:
        revision = revision_of((train, test), context.skip_bad)
        return streamed_data(
            context, "image_folder", (train, test), classes, options.crop_pct, revision
        )
    return _in_memory(context, train, test, classes, options)


def identity(context: DataContext, options: FolderOptions) -> str:
    """A digest of the names and contents of all images."""
    root = data_dir(context, "image_folder")
    splits = (plain(root),) if _is_plain(context, root) else two_splits(root, HELD_OUT)[:2]
    return revision_of(splits, context.skip_bad)


def streamed_data(
    context: DataContext,
    name: str,
    splits: tuple[Split, Split],
    classes: list[str],
    crop_pct: float,
    revision: str,
) -> ImageData:
    """``splits`` read when needed, at 224 pixels where no size is asked for."""
    from rbench import ImageData

    size, channels = context.img_size or (224, 224), context.in_chans or 3
    if context.img_size is None:
        context.note(f"{name} is streamed at 224 pixels; --img-size chooses another size")
    if context.skip_bad:
        context.note("--skip-bad has no effect on streamed images")
    mean, std = IMAGENET_MOMENTS
    train, test = (stream(split, size, channels, crop_pct) for split in splits)
    return ImageData(
        name=name,
        revision=revision,
        in_chans=channels,
        img_size=size,
        train=train,
        test=test,
        class_names=classes,
        mean=mean if channels == 3 else (sum(mean) / 3,) * channels,
        std=std if channels == 3 else (sum(std) / 3,) * channels,
        hflip=0.5,
    )


def _in_memory(
    context: DataContext, train: Split, test: Split, classes: list[str], options: FolderOptions
) -> ImageData:
    from rbench import ImageData

    images, skipped, used = load(train, context, context.img_size)
    size = (images.pixels.shape[2], images.pixels.shape[3])
    held_out, more_skipped, more_used = load(test, context, size)
    skipped += more_skipped
    if skipped:
        context.note(f"{len(skipped)} images cannot be read and were left out: {skipped[0]} ...")
    revision = _revision((train, test), (used, more_used), context)
    mean, std = moments_of(images.pixels)
    return ImageData(
        name="image_folder",
        revision=revision,
        in_chans=images.pixels.shape[1],
        img_size=size,
        train=images,
        test=held_out,
        class_names=classes,
        mean=mean,
        std=std,
        hflip=options.hflip,
        crop_pad=min(size) // 8 if options.crop_pad is None else options.crop_pad,
        skipped=skipped,
    )


def _is_plain(context: DataContext, root: Path) -> bool:
    """Whether the task needs no classes and there are none."""
    return not context.labels and not (root / "train").is_dir()


def _unlabelled(context: DataContext, images: Split) -> ImageData:
    """A plain folder, as test images without labels."""
    from rbench import ImageData

    pixels, skipped, used = load(images, context, context.img_size)
    if skipped:
        context.note(f"{len(skipped)} images cannot be read and were left out: {skipped[0]} ...")
    pixels.labels = None
    mean, std = moments_of(pixels.pixels)
    return ImageData(
        name="image_folder",
        revision=_revision((images,), (used,), context),
        in_chans=pixels.pixels.shape[1],
        img_size=(pixels.pixels.shape[2], pixels.pixels.shape[3]),
        test=pixels,
        mean=mean,
        std=std,
        skipped=skipped,
    )


def _revision(splits: Sequence[Split], used: Sequence[Sequence[int]], context: DataContext) -> str:
    """Of the images that are used: those that cannot be read are no part of it."""
    names, parts = [], []
    for split, found, chosen in zip(splits, digests(splits, context.skip_bad), used, strict=True):
        all_names = split.names()
        names += [all_names[index] for index in chosen]
        parts += [found[index] for index in chosen]
    return content_revision(names, parts)


COMPONENT = Dataset(
    name="image_folder",
    summary="Your own images: train/<class>/ and test/<class>/ or val/<class>/.",
    open=open_folder,
    options=FolderOptions,
    identity=identity,
    recipe="lowres",
)
