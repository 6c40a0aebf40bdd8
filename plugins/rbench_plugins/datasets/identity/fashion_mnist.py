"""Which images ``datasets/fashion_mnist.py`` finds: a digest of their contents, without torch."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from rbench import DataContext, UserError
from rbench_plugins.datasets.fashion_mnist import FashionOptions
from rbench_plugins.datasets.published import data_dir, require, revision_of

FILES = tuple(
    f"{part}-{kind}-ubyte.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
)


def identity(context: DataContext, options: FashionOptions) -> str | None:
    """None for the publisher's ``.gz`` files, which are checked; else a digest of the contents."""
    folder = files_folder(context)
    paths = [folder / file for file in FILES]
    if all(path.exists() for path in paths) or context.download:
        return None
    return revision_of(read_unpacked(path, "") for path in paths)


def files_folder(context: DataContext) -> Path:
    """The folder of the publisher's files: ``--data-dir``, or torchvision's in it."""
    folder = data_dir(context, "fashion_mnist")
    raw = folder / "FashionMNIST" / "raw"
    return raw if raw.is_dir() else folder


def read_unpacked(path: Path, md5: str) -> bytes:
    """What ``path`` (``.gz``) unpacks to, or the unpacked file beside it."""
    unpacked = path.with_suffix("")
    try:
        if not path.exists() and unpacked.exists():
            return unpacked.read_bytes()
        require([(path, md5)], "fashion_mnist")
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"cannot read {path}: {error}") from error
