"""Datasets by timm's names: everything that timm's readers open, and more of torchvision's.

``folder``, ``torch/NAME``, ``hfds/NAME`` and ``hfids/NAME`` (Hugging Face), ``wds/NAME``
(WebDataset) and ``tfds/NAME`` (TensorFlow Datasets), as ``--dataset`` of timm's ``train.py``. The
images are decoded into memory. They are identified by the contents of the files in ``--data-dir``,
and datasets of the Hugging Face hub by their commit, which is known offline once they are cached.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from rbench import (
    DataContext,
    Dataset,
    DatasetFamily,
    FoundFile,
    Options,
    UserError,
    content_digests,
    content_revision,
    fit_image,
)
from rbench_plugins.datasets.published import data_dir
from rbench_plugins.datasets.reading import mode_for

if TYPE_CHECKING:
    from PIL.Image import Image

    from rbench import ImageData

MOST_BYTES = 4 * 1024**3
PACKAGES = {
    "torch": ("torchvision", "torchvision"),
    "hfds": ("datasets", "datasets"),
    "hfids": ("datasets", "datasets"),
    "wds": ("webdataset", "webdataset"),
    "tfds": ("tensorflow_datasets", "tensorflow tensorflow-datasets"),
}
"""By prefix: the module that the reader imports and what installs it."""
TORCHVISION = {
    # Name: class, splits for training and test, folder below --data-dir.
    "mnist": ("MNIST", {"train": True}, {"train": False}, "MNIST"),
    "kmnist": ("KMNIST", {"train": True}, {"train": False}, "KMNIST"),
    "fashion_mnist": ("FashionMNIST", {"train": True}, {"train": False}, "FashionMNIST"),
    "cifar10": ("CIFAR10", {"train": True}, {"train": False}, "cifar-10-batches-py"),
    "cifar100": ("CIFAR100", {"train": True}, {"train": False}, "cifar-100-python"),
    "stl10": ("STL10", {"split": "train"}, {"split": "test"}, "stl10_binary"),
    "flowers102": ("Flowers102", {"split": "train"}, {"split": "test"}, "flowers-102"),
    "oxford_iiit_pet": (
        "OxfordIIITPet",
        {"split": "trainval"},
        {"split": "test"},
        "oxford-iiit-pet",
    ),
    "dtd": ("DTD", {"split": "train"}, {"split": "test"}, "dtd"),
    "eurosat": ("EuroSAT", {}, {}, "eurosat"),
}
EXAMPLES = ("folder", *(f"torch/{name}" for name in TORCHVISION))


class ReaderOptions(Options):
    """How a timm reader splits and reads."""

    train_split: str = Field("train", description="split or shards that are trained on")
    val_split: str = Field("validation", description="split or shards of the test images")
    input_key: str | None = Field(None, description="the image's field; default: the reader's")
    target_key: str | None = Field(None, description="the label's field; default: the reader's")
    hflip: float = Field(0.0, ge=0, le=1, description="flip probability, if the recipe has none")
    crop_pad: int = Field(0, ge=0, description="zero padding in pixels, if the recipe has none")


def member(name: str) -> Dataset | None:
    """The dataset of timm's name ``name``; None if that is not one."""
    prefix, _, rest = name.partition("/")
    if name != "folder" and (prefix not in PACKAGES or not rest):
        return None
    if prefix == "torch" and rest not in TORCHVISION:
        return None
    return Dataset(
        name=name,
        summary=f"{name}, read by {'torchvision' if prefix == 'torch' else 'timm'}.",
        open=partial(_open, name),
        options=ReaderOptions,
        identity=partial(_identity, name),
        recipe="lowres",
    )


def _open(name: str, context: DataContext, options: ReaderOptions) -> ImageData:
    """Both splits in memory, in the order of the reader.

    Labels are numbered as the reader numbers them. Images are cropped to the shape of
    ``--img-size`` and resized; without it the size is that of the first training image. Mean and
    standard deviation are those of the training images that are used.
    """
    from rbench_plugins.datasets.memory import in_memory

    _require_package(name)
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
    if not classes:
        classes = [str(label) for label in range(int(max(first[1].max(), second[1].max())) + 1)]
    data = in_memory(
        context,
        name,
        first,
        second,
        classes,
        revision=_content(name, context),
        hflip=options.hflip,
        crop_pad=options.crop_pad,
    )
    return replace(data, train_images=total)


def _identity(name: str, context: DataContext, options: ReaderOptions) -> str:
    """The contents, and by how many images a limited run is normalized."""
    content = _content(name, context)
    return content if context.limit is None else f"{content} normalized by {context.limit}"


def _content(name: str, context: DataContext) -> str:
    """The commit of a dataset of the hub; else a digest of the files below ``--data-dir``."""
    root = data_dir(context, name)
    prefix, _, rest = name.partition("/")
    if prefix in ("hfds", "hfids"):
        if not Path(rest).is_dir():
            return _commit(name, rest, root)
        root = Path(rest)
    elif prefix == "torch" and (below := root / TORCHVISION[rest][3]).is_dir():
        root = below
    files = list(_files(str(root)))
    names = [file.path[len(str(root)) + 1 :] for file in files]
    if not files:
        raise UserError(f"{name}: there is no file in {root} (--download fetches some datasets)")
    return content_revision(names, content_digests(root, files))


def _files(folder: str) -> Iterator[FoundFile]:
    for found, folders, files in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = os.path.join(found, name)
            if not name.startswith(".") and os.path.exists(path):
                yield FoundFile.of(path, os.stat(path))


def _commit(name: str, rest: str, cache: Path) -> str:
    """The hash under which ``datasets`` caches a dataset: the hub's commit of its files."""
    _require_package(name)
    from datasets import load_dataset_builder

    return f"hf:{_said(name, lambda: load_dataset_builder(rest, cache_dir=str(cache)).hash)}"


def _splits(
    name: str, root: Path, context: DataContext, options: ReaderOptions
) -> tuple[Any, Any, list[str]]:
    """Datasets of (PIL image, label) and the classes, if they have names."""
    prefix, _, rest = name.partition("/")
    if prefix == "torch":
        return _torchvision(name, rest, root, context.download)
    from timm.data import create_dataset

    how = {"input_key": options.input_key, "target_key": options.target_key}
    how["input_img_mode"] = mode_for(context.in_chans)

    def opened(split: str) -> Any:
        return create_dataset(
            "" if name == "folder" else name, root=str(root), split=split, is_training=False, **how
        )

    train, test = (
        _said(name, partial(opened, split)) for split in (options.train_split, options.val_split)
    )
    numbers: list[dict[Any, int] | None] = [
        getattr(part.reader, "class_to_idx", None) for part in (train, test)
    ]
    if numbers[0] and numbers[1] and numbers[0] != numbers[1]:
        raise UserError(f"{name}: {options.train_split} and {options.val_split} differ in classes")
    index = numbers[0] or {}
    return train, test, [str(label) for label in sorted(index, key=lambda label: index[label])]


def _torchvision(name: str, rest: str, root: Path, download: bool) -> tuple[Any, Any, list[str]]:
    import torchvision

    kind, *splits, _ = TORCHVISION[rest]
    reader = getattr(torchvision.datasets, str(kind))
    parts = [
        _said(name, partial(reader, str(root), download=download, **split))  # type: ignore[arg-type]
        for split in splits
    ]
    classes = [str(label) for label in getattr(parts[0], "classes", ())]
    if (
        rest == "eurosat"
    ):  # has no split of its own: every fifth image of each class is a test image
        from torch.utils.data import Subset

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
    from torch.utils.data import IterableDataset

    return None if isinstance(images, IterableDataset) else len(images)


def _rows(images: Any, indices: Sequence[int] | None = None) -> Iterator[Any]:
    """(PIL image, label) of all images, or of ``indices``."""
    from PIL import Image as files

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
            yield files.open(file), label


def _stack(
    name: str, rows: Iterable[Any], mode: str, size: tuple[int, int] | None
) -> tuple[Any, Any]:
    """Pixels (N, C, H, W) uint8 and labels (N,)."""
    import numpy as np

    arrays: list[Any] = []
    labels: list[int] = []
    total = 0
    grey = False

    source = iter(rows)
    while (row := _said(name, lambda: next(source, None))) is not None:
        image: Image = row[0]
        # Grey sets such as MNIST keep their one channel where none is asked for.
        grey = grey or (not arrays and mode == "RGB" and image.mode == "L")
        image = image.convert("L" if grey else mode)
        size = size or (image.height, image.width)
        array = np.asarray(fit_image(image, size))
        total += array.nbytes
        if total > MOST_BYTES:
            raise UserError(
                f"{name} needs over {MOST_BYTES // 1024**3} GiB at {size[1]}x{size[0]} pixels; "
                "choose a smaller --img-size, or unpack it for image_folder, which streams"
            )
        arrays.append(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))
        labels.append(int(row[1]))
    if not arrays:
        raise UserError(f"{name} has a split without images")
    return np.ascontiguousarray(np.stack(arrays)), np.asarray(labels)


def _require_package(name: str) -> None:
    module, install = PACKAGES.get(name.partition("/")[0], ("timm", "timm"))
    if find_spec(module) is None:
        raise UserError(f"{name} needs another package: pip install {install}")


def _said(name: str, call: Any) -> Any:
    """What ``call`` returns; whatever a reader raises, in one line."""
    try:
        return call()
    except Exception as error:
        line = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{name} cannot be read: {line}") from error


FAMILY = DatasetFamily(
    name="timm_readers",
    summary="timm's names: folder, torch/mnist, hfds/..., hfids/..., wds/..., tfds/...",
    names=lambda: EXAMPLES,
    member=member,
)
