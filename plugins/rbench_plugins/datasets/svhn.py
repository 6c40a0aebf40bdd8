"""SVHN, format 2: street view house numbers cropped to 32x32 (Netzer et al. 2011)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbench import DataContext, Dataset, NoOptions
from rbench_plugins.datasets.memory import in_memory
from rbench_plugins.datasets.published import data_dir, fetch, require

if TYPE_CHECKING:
    from rbench import ImageData

MOMENTS = ((0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970))
"""The normalization of P2's public code."""


def open_svhn(context: DataContext, options: NoOptions) -> ImageData:
    """73,257 training images ("extra" is left out) and 26,032 test images; no augmentation."""
    import numpy as np
    from torchvision.datasets import SVHN

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


COMPONENT = Dataset(
    name="svhn",
    title="SVHN",
    summary="SVHN, cropped digits, the publisher's .mat files (73,257 train, 26,032 test).",
    open=open_svhn,
    recipe="lowres",
)
