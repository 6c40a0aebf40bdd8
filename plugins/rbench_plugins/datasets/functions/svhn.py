"""Opens the dataset that ``datasets/svhn.py`` describes."""

from __future__ import annotations

import numpy as np
from torchvision.datasets import SVHN

from rbench import DataContext, ImageData, NoOptions
from rbench_plugins.datasets.memory import in_memory
from rbench_plugins.datasets.published import data_dir, fetch, require

MOMENTS = ((0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970))
"""The normalization of P2's public code."""


def open_svhn(context: DataContext, options: NoOptions) -> ImageData:
    """73,257 training images ("extra" is left out) and 26,032 test images; no augmentation."""
    folder = data_dir(context, "svhn")
    if context.download:
        for split in ("train", "test"):
            fetch(lambda split=split: SVHN(folder, split=split, download=True), "svhn")  # type: ignore[misc]
    listed = [SVHN.split_list[split] for split in ("train", "test")]
    revision = require([(folder / file, md5) for _, file, md5 in listed], "svhn")
    train, test = (SVHN(folder, split=split) for split in ("train", "test"))
    return in_memory(
        context,
        "svhn",
        (np.ascontiguousarray(train.data), train.labels),
        (np.ascontiguousarray(test.data), test.labels),
        map(str, range(10)),
        revision=revision,
        moments=MOMENTS,
    )
