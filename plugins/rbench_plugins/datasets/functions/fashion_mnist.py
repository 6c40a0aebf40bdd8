"""Opens the dataset that ``datasets/fashion_mnist.py`` describes."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from torchvision.datasets import FashionMNIST

from rbench import DataContext, ImageData, UserError
from rbench_plugins.datasets.fashion_mnist import FashionOptions
from rbench_plugins.datasets.identity.fashion_mnist import files_folder, read_unpacked
from rbench_plugins.datasets.memory import in_memory
from rbench_plugins.datasets.published import data_dir, fetch, revision_of

MOMENTS = ((0.2860,), (0.3530,))
"""The normalization of P2's public code."""


def open_fashion(context: DataContext, options: FashionOptions) -> ImageData:
    """60,000 training and 10,000 test images; no augmentation.

    ``--data-dir`` holds the publisher's four ``.gz`` files, or torchvision's folder
    ``FashionMNIST/raw``. A ``.gz`` file is checked against the published MD5.
    """
    name = "fashion_mnist"
    if context.download:
        fetch(lambda: FashionMNIST(data_dir(context, name), download=True), name)
    folder = files_folder(context)
    files = [read_unpacked(folder / file, md5) for file, md5 in FashionMNIST.resources]
    arrays = [
        parse_idx(content, folder / file)
        for content, (file, _) in zip(files, FashionMNIST.resources, strict=True)
    ]
    return in_memory(
        context,
        name,
        (arrays[0][:, None], arrays[1]),
        (arrays[2][:, None], arrays[3]),
        FashionMNIST.classes,
        revision=revision_of(files),
        size=None if options.resize is None else (options.resize, options.resize),
        filter="bilinear",
        moments=MOMENTS,
    )


def parse_idx(content: bytes, path: Path) -> Any:
    """The uint8 array in ``content``, an IDX file (LeCun): magic, sizes, then the numbers."""
    if len(content) < 4 or content[:3] != b"\0\0\x08" or not 1 <= content[3] <= 3:
        raise UserError(f"{path} is not an IDX file of bytes")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise UserError(f"{path} is truncated in its header")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    wanted = start + math.prod(shape)
    if len(content) != wanted:
        raise UserError(f"{path} is truncated or too long: {len(content)} bytes, not {wanted}")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy()
