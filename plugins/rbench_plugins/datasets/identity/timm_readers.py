"""Which images ``datasets/timm_readers.py`` finds: a digest of their contents, without torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rbench import DataContext, FoundFile, UserError, content_digests, content_revision
from rbench_plugins.datasets.published import data_dir
from rbench_plugins.datasets.timm_readers import PACKAGES, TORCHVISION, ReaderOptions


def identity(context: DataContext, options: ReaderOptions) -> str:
    """The contents, and by how many images a limited run is normalized."""
    content = files_revision(context.name, context)
    return content if context.limit is None else f"{content} normalized by {context.limit}"


def files_revision(name: str, context: DataContext) -> str:
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


def _commit(name: str, rest: str, folder: Path) -> str:
    """The hash under which ``datasets`` caches a dataset: the hub's commit of its files."""
    if found := snapshot(name, folder):
        return f"hf:{found.name}"
    from datasets import load_dataset_builder  # an optional package

    return f"hf:{in_one_line(name, lambda: load_dataset_builder(rest, cache_dir=str(folder)).hash)}"


@cache
def snapshot(name: str, folder: Path) -> Path | None:
    """The files of ``hfds/...`` in Hugging Face's cache, where the hub is out of reach.

    None where ``datasets`` can read it: a folder, the hub, or as it was prepared in ``folder``.
    """
    require_package(name)
    from datasets import load_dataset_builder  # an optional package
    from huggingface_hub import snapshot_download  # slow to import, and for the hub alone

    rest = name.partition("/")[2]
    try:
        load_dataset_builder(rest, cache_dir=str(folder))
    except Exception:
        with suppress(Exception):
            return Path(snapshot_download(rest, repo_type="dataset", local_files_only=True))
    return None


def require_package(name: str) -> None:
    """UserError with the install command where the reader's package is missing."""
    module, install = PACKAGES.get(name.partition("/")[0], ("timm", "timm"))
    if find_spec(module) is None:
        raise UserError(f"{name} needs another package: pip install {install}")


def in_one_line(name: str, call: Any) -> Any:
    """What ``call`` returns; whatever a reader raises, in one line."""
    try:
        return call()
    except Exception as error:
        line = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{name} cannot be read: {line}") from error
