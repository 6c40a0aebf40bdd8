"""Files of published datasets: found, checked and downloaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from rbench import DataContext, UserError


def data_dir(context: DataContext, name: str) -> Path:
    """The folder that the user named; UserError where there is none."""
    folder = context.data_dir
    if folder is None:
        raise UserError(f"the dataset {name} needs --data-dir, or RBENCH_DATA")
    if context.download:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot make the folder {folder}: {error.strerror}") from error
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise UserError(f"--data-dir {folder} {what}")
    return folder


def require(files: Iterable[tuple[Path, str]], name: str) -> str:
    """Check every (file, MD5); return a revision that names them. UserError in one line.

    The publishers give MD5 sums and no better ones.
    """
    sums = []
    for path, expected in files:
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        except FileNotFoundError as error:
            raise UserError(
                f"{name}: {path} is missing; is --data-dir right? (--download fetches the files)"
            ) from error
        except OSError as error:
            raise UserError(f"{name}: cannot read {path}: {error.strerror}") from error
        if found.hexdigest() != expected:
            size = path.stat().st_size
            raise UserError(
                f"{name}: {path} ({size} bytes) is truncated or not the published file: its MD5 "
                f"is {found.hexdigest()}, published is {expected}"
            )
        sums.append(expected)
    return "md5:" + hashlib.md5("".join(sums).encode(), usedforsecurity=False).hexdigest()


def fetch(download: Callable[[], object], name: str) -> None:
    """Run torchvision's ``download``; UserError in one line if it fails."""
    try:
        download()
    except (OSError, RuntimeError) as error:
        line = " ".join(str(error).split())[:200]
        raise UserError(f"{name} could not be downloaded: {line}") from error


def revision_of(parts: Iterable[bytes]) -> str:
    """A revision that names exactly these bytes, in this order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return f"sha256:{digest.hexdigest()[:32]}"
