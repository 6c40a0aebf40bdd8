"""Fashion-MNIST: 70,000 28x28 grey images of clothes in ten classes (Xiao et al. 2017)."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from rbench import DataContext, Dataset, Options, UserError
from rbench_plugins.datasets.memory import in_memory, revision_of
from rbench_plugins.datasets.published import data_dir, fetch, require

if TYPE_CHECKING:
    from rbench import ImageData

MOMENTS = ((0.2860,), (0.3530,))
"""The normalization of P2's public code."""

FILES = tuple(
    f"{part}-{kind}-ubyte.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
)


class FashionOptions(Options):
    """Options of ``fashion_mnist``."""

    resize: int | None = Field(
        32, ge=8, description="side in pixels where --img-size names none (P2: 32); none: 28"
    )


def open_fashion(context: DataContext, options: FashionOptions) -> ImageData:
    """60,000 training and 10,000 test images; no augmentation.

    ``--data-dir`` holds the publisher's four ``.gz`` files, or torchvision's folder
    ``FashionMNIST/raw``. A ``.gz`` file is checked against the published MD5.
    """
    from torchvision.datasets import FashionMNIST

    name = "fashion_mnist"
    if context.download:
        fetch(lambda: FashionMNIST(data_dir(context, name), download=True), name)
    folder = _folder(context)
    files = [_read(folder / file, md5) for file, md5 in FashionMNIST.resources]
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


def identity(context: DataContext, options: FashionOptions) -> str | None:
    """None for the publisher's ``.gz`` files, which are checked; else a digest of the contents."""
    folder = _folder(context)
    paths = [folder / file for file in FILES]
    if all(path.exists() for path in paths) or context.download:
        return None
    return revision_of(_read(path, "") for path in paths)


def _folder(context: DataContext) -> Path:
    folder = data_dir(context, "fashion_mnist")
    raw = folder / "FashionMNIST" / "raw"
    return raw if raw.is_dir() else folder


def parse_idx(content: bytes, path: Path) -> Any:
    """The uint8 array in ``content``, an IDX file (LeCun): magic, sizes, then the numbers."""
    import numpy as np

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


def _read(path: Path, md5: str) -> bytes:
    """What ``path`` (``.gz``) unpacks to, or the unpacked file beside it."""
    unpacked = path.with_suffix("")
    try:
        if not path.exists() and unpacked.exists():
            return unpacked.read_bytes()
        require([(path, md5)], "fashion_mnist")
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"cannot read {path}: {error}") from error


COMPONENT = Dataset(
    name="fashion_mnist",
    title="Fashion-MNIST",
    summary="Fashion-MNIST, the publisher's IDX files (60,000 train, 10,000 test).",
    open=open_fashion,
    options=FashionOptions,
    identity=identity,
    recipe="lowres",
    revision=2,  # 1: resized by a bicubic filter
)
