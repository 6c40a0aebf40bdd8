"""Opens the datasets that ``datasets/cifar10.py`` and ``datasets/cifar100.py`` describe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torchvision.datasets import CIFAR10, CIFAR100

from rbench import DataContext, ImageData, NoOptions
from rbench_plugins.datasets.memory import Moments, in_memory
from rbench_plugins.datasets.published import data_dir, fetch, require

MOMENTS_OF_CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
"""The normalization of P2's public code."""


def cifar10(context: DataContext, options: NoOptions) -> ImageData:
    """50,000 training and 10,000 test images from ``cifar-10-batches-py/``."""
    return open_cifar(context, "cifar10", CIFAR10, MOMENTS_OF_CIFAR10)


def cifar100(context: DataContext, options: NoOptions) -> ImageData:
    """50,000 training and 10,000 test images from ``cifar-100-python/``, fine labels."""
    return open_cifar(context, "cifar100", CIFAR100)


def open_cifar(
    context: DataContext, name: str, reader: Any, moments: Moments | None = None
) -> ImageData:
    """Both splits of ``reader``, torchvision's class, in memory.

    ``--data-dir`` is the folder with the batches, or the one above it. P2 augments by 4 pixels
    of zero padding and flips (appendix on training details).
    """
    folder = data_dir(context, name)
    if folder.name == reader.base_folder:
        folder = folder.parent
    if context.download:
        fetch(lambda: reader(folder, download=True), name)
    base = folder / reader.base_folder
    listed = [*reader.train_list, *reader.test_list]
    files: list[tuple[Path, str]] = [(base / file, md5) for file, md5 in listed]
    # Before they are unpickled, since a pickle can execute code.
    revision = require([*files, (base / reader.meta["filename"], reader.meta["md5"])], name)
    train, test = (reader(folder, train=part) for part in (True, False))
    return in_memory(
        context,
        name,
        (np.ascontiguousarray(train.data.transpose(0, 3, 1, 2)), train.targets),
        (np.ascontiguousarray(test.data.transpose(0, 3, 1, 2)), test.targets),
        train.classes,
        revision=revision,
        moments=moments,
        hflip=0.5,
        crop_pad=4,
    )
