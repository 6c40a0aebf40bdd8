"""Opens the dataset that ``datasets/timm_readers.py`` describes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torchvision
from PIL import Image
from timm.data import create_dataset
from torch.utils.data import IterableDataset, Subset

from rbench import DataContext, ImageData, UserError, fit_image
from rbench_plugins.datasets.identity.timm_readers import (
    files_revision,
    in_one_line,
    require_package,
    snapshot,
)
from rbench_plugins.datasets.memory import check_bytes, in_memory
from rbench_plugins.datasets.published import data_dir
from rbench_plugins.datasets.reading import mode_for
from rbench_plugins.datasets.timm_readers import TORCHVISION, ReaderOptions


def open_both(context: DataContext, options: ReaderOptions) -> ImageData:
    """Both splits in memory, in the order of the reader.

    Labels are numbered as the reader numbers them. A set is gray where all of its images are and
    ``--in-chans`` asks for nothing else. Images are cropped to the shape of
    ``--img-size`` and resized; without it the size is that of the first training image. Mean and
    standard deviation are those of the training images that are used.
    """
    name = context.name
    require_package(name)
    root = data_dir(context, name)
    train, test, classes = _splits(name, root, context, options)
    mode = mode_for(context.in_chans)
    total = _length(train)
    choice = None if total is None else context.train_choice(total)
    first = _stack(name, _rows(train, choice.pick() if choice else None), mode, context.img_size)
    if total is None:
        total = len(first[1])
        if choice := context.train_choice(total):
            first = first[0][choice.pick()], first[1][choice.pick()]
    size = (first[0].shape[2], first[0].shape[3])
    second = _stack(name, _rows(test), mode, size)
    first, second = _in_color(first, second), _in_color(second, first)
    if not classes:
        classes = [str(label) for label in range(int(max(first[1].max(), second[1].max())) + 1)]
    data = in_memory(
        context,
        name,
        first,
        second,
        classes,
        revision=files_revision(name, context),
        hflip=options.hflip,
        crop_pad=options.crop_pad,
    )
    return replace(data, train_images=total)


def _splits(
    name: str, root: Path, context: DataContext, options: ReaderOptions
) -> tuple[Any, Any, list[str]]:
    """Datasets of (PIL image, label) and the classes, if they have names."""
    prefix, _, rest = name.partition("/")
    if prefix == "torch":
        return _torchvision(name, rest, root, context.download)
    how = {"input_key": options.input_key, "target_key": options.target_key}
    how["input_img_mode"] = mode_for(context.in_chans)

    source = "" if name == "folder" else name
    if prefix in ("hfds", "hfids") and (folder := snapshot(name, root)):
        source = f"{prefix}/{folder}"

    def opened(split: str) -> Any:
        return create_dataset(source, root=str(root), split=split, is_training=False, **how)

    train, test = (
        in_one_line(name, partial(opened, split))
        for split in (options.train_split, options.val_split)
    )
    numbers: list[dict[Any, int] | None] = [
        getattr(part.reader, "class_to_idx", None) for part in (train, test)
    ]
    if numbers[0] and numbers[1] and numbers[0] != numbers[1]:
        raise UserError(f"{name}: {options.train_split} and {options.val_split} differ in classes")
    index = numbers[0] or {}
    return train, test, [str(label) for label in sorted(index, key=lambda label: index[label])]


def _torchvision(name: str, rest: str, root: Path, download: bool) -> tuple[Any, Any, list[str]]:
    kind, *splits, _ = TORCHVISION[rest]
    reader = getattr(torchvision.datasets, str(kind))
    parts = [
        in_one_line(name, partial(reader, str(root), download=download, **split))  # type: ignore[arg-type]
        for split in splits
    ]
    classes = [str(label) for label in getattr(parts[0], "classes", ())]
    if (
        rest == "eurosat"
    ):  # has no split of its own: every fifth image of each class is a test image
        rank: dict[int, int] = {}
        held_out: list[int] = []
        for index, label in enumerate(parts[0].targets):
            rank[label] = rank.get(label, -1) + 1
            if rank[label] % 5 == 0:
                held_out.append(index)
        rest_of = sorted(set(range(len(parts[0].targets))) - set(held_out))
        parts = [Subset(parts[0], rest_of), Subset(parts[0], held_out)]
    return parts[0], parts[1], classes


def _length(images: Any) -> int | None:
    """None: the images can only be had one after another."""
    return None if isinstance(images, IterableDataset) else len(images)


def _rows(images: Any, indices: Sequence[int] | None = None) -> Iterator[Any]:
    """(PIL image, label) of all images, or of ``indices``."""
    if (length := _length(images)) is None:
        count = 0
        for row in images:
            count += 1
            yield row
        # Readers of shards leave out what they cannot read, with a warning at most.
        wanted = getattr(images.reader, "num_samples", None)
        if wanted is not None and count != wanted:
            raise UserError(f"{count} of {wanted} images of a split can be read")
        return
    reader = getattr(images, "reader", None)
    for index in range(length) if indices is None else indices:
        if reader is None:
            yield images[index]
        else:
            # timm's own dataset puts the next image in the place of a broken one.
            file, label = reader[index]
            yield Image.open(file), label


def _stack(
    name: str, rows: Iterable[Any], mode: str, size: tuple[int, int] | None
) -> tuple[Any, Any]:
    """Pixels (N, C, H, W) uint8 and labels (N,); C is 1 for "RGB", too, if all images are gray."""
    arrays: list[Any] = []
    labels: list[int] = []
    total = 0
    # Gray sets such as MNIST keep their one channel where none is asked for.
    grey = mode == "RGB"

    source = iter(rows)
    while (row := in_one_line(name, lambda: next(source, None))) is not None:
        image: Image.Image = row[0]
        if grey and image.mode != "L":
            grey, total = False, 3 * total
            arrays = [array.repeat(3, axis=0) for array in arrays]
        image = image.convert("L" if grey else mode)
        size = size or (image.height, image.width)
        array = np.asarray(fit_image(image, size))
        total += array.nbytes
        advice = "choose a smaller --img-size, or unpack it for image_folder, which streams"
        check_bytes(total, name, size, advice)
        arrays.append(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))
        labels.append(int(row[1]))
    if not arrays:
        raise UserError(f"{name} has a split without images")
    return np.ascontiguousarray(np.stack(arrays)), np.asarray(labels)


def _in_color(part: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    """``part`` with three equal channels where it is gray and the other split is not."""
    pixels, labels = part
    if pixels.shape[1] == 1 and other[0].shape[1] == 3:
        pixels = pixels.repeat(3, axis=1)
    return pixels, labels
