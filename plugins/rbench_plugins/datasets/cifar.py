"""CIFAR-10 and CIFAR-100 in the publisher's Python format, read by torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rbench import DataContext
from rbench_plugins.datasets.memory import Moments, in_memory
from rbench_plugins.datasets.published import data_dir, fetch, require

if TYPE_CHECKING:
    from rbench import ImageData


def open_cifar(
    context: DataContext, name: str, reader: Any, moments: Moments | None = None
) -> ImageData:
    """Both splits of ``reader``, torchvision's class, in memory.

    ``--data-dir`` is the folder with the batches, or the one above it. P2 augments by 4 pixels
    of zero padding and flips (appendix on training details).
    """
    import numpy as np

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
