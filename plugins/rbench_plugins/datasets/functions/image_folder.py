"""Opens the dataset that ``datasets/image_folder.py`` describes."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import replace

from rbench import DataContext, ImageData, UserError, known_moments
from rbench_plugins.datasets.contents import digests, revision_of
from rbench_plugins.datasets.folders import load, stream, usable
from rbench_plugins.datasets.identity.image_folder import HELD_OUT, is_plain, streamed
from rbench_plugins.datasets.image_folder import FolderOptions
from rbench_plugins.datasets.published import data_dir
from rbench_plugins.datasets.splits import Split, plain, two_splits

IMAGENET_MOMENTS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def open_folder(context: DataContext, options: FolderOptions) -> ImageData:
    """The two splits, classes in the order of their sorted names.

    For a task without labels: all images of a folder that has no ``train/``, as test images.

    In memory, images are cropped to the shape of ``--img-size`` and resized to it; without it
    they must all have one size. Only those that the run uses are decoded. Mean and standard
    deviation are those of the training images that are used, except where the registry has those
    of the whole set. The revision is made of all names and contents.
    """
    root = data_dir(context, "image_folder")
    if is_plain(context, root):
        return _unlabelled(context, plain(root))
    train, test, classes = two_splits(root, HELD_OUT)
    if context.labels and len(classes) < 2:
        raise UserError(f"{root} has one class only, {classes[0]}: there is nothing to tell apart")
    if streamed(context, train, test, options):
        splits = (train, test)
        found = digests(splits, context.skip_bad)
        data = streamed_data(
            context,
            "image_folder",
            splits,
            found,
            classes,
            options.crop_pct,
            lambda left_out: revision_of(splits, found, left_out),
            options.check,
        )
        pad = _crop_pad(data.img_size, options)
        return replace(data, hflip=options.hflip, crop_pad=pad)
    return _in_memory(context, train, test, classes, options)


def _crop_pad(size: tuple[int, int], options: FolderOptions) -> int:
    return min(size) // 8 if options.crop_pad is None else options.crop_pad


def streamed_data(
    context: DataContext,
    name: str,
    splits: tuple[Split, Split],
    found: Sequence[Sequence[bytes]],
    classes: list[str],
    crop_pct: float,
    revision: Callable[[Sequence[Container[int]]], str],
    check: bool,
) -> ImageData:
    """``splits``, whose files have the digests ``found``, read when they are needed.

    The images have 224 pixels where no size is asked for. With ``check`` those that are used are
    decoded once before; ``revision`` is asked with the indices that are left out by split.
    """
    size, channels = context.img_size or (224, 224), context.in_chans or 3
    if context.img_size is None:
        context.note(f"{name} is streamed at 224 pixels; --img-size chooses another size")
    choices = context.train_choice(len(splits[0].files)), context.test_choice(splits[1].targets)
    used: list[Split] = []
    left_out: list[dict[int, str]] = []
    for split, some, choice in zip(splits, found, choices, strict=True):
        part, bad = usable(split, some, context.skip_bad, choice, check)
        used.append(part)
        left_out.append(bad)
    skipped = [text for bad in left_out for text in bad.values()]
    _note_skipped(context, skipped)
    mean, std = IMAGENET_MOMENTS
    train, test = (stream(split, size, channels, crop_pct) for split in used)
    return ImageData(
        name=name,
        revision=revision(left_out),
        in_chans=channels,
        img_size=size,
        train=train,
        test=test,
        class_names=classes,
        mean=mean if channels == 3 else (sum(mean) / 3,) * channels,
        std=std if channels == 3 else (sum(std) / 3,) * channels,
        hflip=0.5,
        skipped=skipped,
        train_images=len(splits[0].files) - len(left_out[0]),
        test_images=len(splits[1].files) - len(left_out[1]),
    )


def _note_skipped(context: DataContext, skipped: Sequence[str]) -> None:
    if skipped:
        more = " ..." if len(skipped) > 1 else ""
        context.note(f"{len(skipped)} images cannot be read and were left out: {skipped[0]}{more}")


def _in_memory(
    context: DataContext, train: Split, test: Split, classes: list[str], options: FolderOptions
) -> ImageData:
    splits = (train, test)
    found = digests(splits, context.skip_bad)
    choices = context.train_choice(len(train.files)), context.test_choice(test.targets)
    first = load(train, found[0], context, context.img_size, choices[0])
    images = first.images
    size = (images.pixels.shape[2], images.pixels.shape[3])
    second = load(test, found[1], context, size, choices[1])
    skipped = [*first.skipped.values(), *second.skipped.values()]
    _note_skipped(context, skipped)
    revision = revision_of(splits, found, (first.skipped, second.skipped))
    known = choices[0] and known_moments(revision, images.pixels.shape[1], size)
    mean, std = known or first.moments
    return ImageData(
        name="image_folder",
        revision=revision,
        in_chans=images.pixels.shape[1],
        img_size=size,
        train=images,
        test=second.images,
        class_names=classes,
        mean=mean,
        std=std,
        hflip=options.hflip,
        crop_pad=_crop_pad(size, options),
        skipped=skipped,
        train_images=len(train.files) - len(first.skipped),
        test_images=len(test.files) - len(second.skipped),
    )


def _unlabelled(context: DataContext, images: Split) -> ImageData:
    """A plain folder, as test images without labels."""
    found = digests((images,), context.skip_bad)
    choice = context.test_choice(images.targets)
    loaded = load(images, found[0], context, context.img_size, choice)
    pixels, skipped = loaded.images, list(loaded.skipped.values())
    _note_skipped(context, skipped)
    pixels.labels = None
    mean, std = loaded.moments
    return ImageData(
        name="image_folder",
        revision=revision_of((images,), found, (loaded.skipped,)),
        in_chans=pixels.pixels.shape[1],
        img_size=(pixels.pixels.shape[2], pixels.pixels.shape[3]),
        test=pixels,
        mean=mean,
        std=std,
        skipped=skipped,
        test_images=len(images.files) - len(skipped),
    )
