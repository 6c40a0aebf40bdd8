"""Decoded images in the user's cache folder, so that a set of files is decoded once.

A file of the cache is named by the contents of the image files, their names and the form in which
they are wanted. It is written whole or not at all and mapped into memory when it is read, so that
several processes share its pages. The oldest files make room for new ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from PIL import __version__
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rbench import UserError, cache_folder, content_revision, write_atomically
from rbench_plugins.datasets.memory import Moments

VERSION = 1
"""Raised whenever the same files give other pixels."""
WORTH_SECONDS = 0.5
"""What is decoded faster is not stored."""
MOST_BYTES = 20 * 1024**3


@dataclass
class Decoded:
    """Images that could be decoded, and what is wrong with the others."""

    pixels: Tensor
    """(N, C, H, W) uint8."""
    used: list[int]
    """For each of the N images the index of its file."""
    skipped: dict[int, str]
    """By index of the file: why it cannot be used. ``{}`` stands for the file's path."""
    moments: Moments | None = None

    def only(self, indices: Sequence[int]) -> Decoded:
        """The files of ``indices``, renumbered in that order."""
        rows = {index: row for row, index in enumerate(self.used)}
        used = [at for at, index in enumerate(indices) if index in rows]
        skipped = {
            at: self.skipped[index] for at, index in enumerate(indices) if index in self.skipped
        }
        return Decoded(self.pixels[[rows[indices[at]] for at in used]], used, skipped)


def cache_place(names: Sequence[str], digests: Sequence[bytes], form: object) -> Path:
    """Where images of these names and contents are kept in this form, if they are."""
    key = f"{VERSION} {__version__} {form!r} {content_revision(names, digests)}"
    return (
        cache_folder() / "decoded" / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.safetensors"
    )


def read_decoded(place: Path) -> Decoded | None:
    """What is stored at ``place``; None where there is nothing that can be used."""
    try:
        with safe_open(place, framework="pt") as file:
            notes = json.loads(file.metadata()["rbench"])
            pixels = file.get_tensor("pixels")
        os.utime(place)  # the files that were not used for longest are removed first
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    skipped = {int(index): text for index, text in notes["skipped"].items()}
    mean, std = map(tuple, notes["moments"])
    return Decoded(pixels, notes["used"], skipped, (mean, std))


def decoded(place: Path, decode: Callable[[], Decoded]) -> Decoded:
    """What is stored at ``place``, or else what ``decode`` returns, stored if that took long."""
    found = read_decoded(place)
    if found is None:
        start = perf_counter()
        found = decode()
        if perf_counter() - start > WORTH_SECONDS:
            # A cache that cannot be written costs time and nothing else.
            with contextlib.suppress(OSError):
                _write(place, found)
    return found


def checked_place(names: Sequence[str], digests: Sequence[bytes]) -> Path:
    """Where it is kept which images of these names and contents can be decoded."""
    return cache_place(names, digests, "checked").with_suffix(".json")


def checked(place: Path, check: Callable[[], dict[int, str]]) -> dict[int, str]:
    """What is stored at ``place``, or else what ``check`` returns, stored if that took long.

    By index of the file: why it cannot be used, as in ``Decoded.skipped``.
    """
    try:
        stored = json.loads(place.read_bytes())
        return {int(index): str(text) for index, text in stored.items()}
    except (OSError, ValueError, AttributeError):
        pass
    start = perf_counter()
    bad = check()
    if perf_counter() - start > WORTH_SECONDS:
        with contextlib.suppress(UserError):
            write_atomically(place, json.dumps(bad))
    return bad


def _write(place: Path, found: Decoded) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    _make_room(place.parent, found.pixels.numel())
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=place.parent)
    os.close(handle)
    notes = json.dumps({"used": found.used, "skipped": found.skipped, "moments": found.moments})
    try:
        save_file({"pixels": found.pixels.contiguous()}, temporary, {"rbench": notes})
        os.replace(temporary, place)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _make_room(folder: Path, size: int) -> None:
    """Remove the files that were not used for longest until ``size`` bytes fit."""
    kept = []
    for path in folder.glob("*.safetensors"):
        with contextlib.suppress(FileNotFoundError):  # another process made room
            status = path.stat()
            kept.append((status.st_mtime, status.st_size, path))
    total = size + sum(size for _, size, _ in kept)
    for _, freed, path in sorted(kept):
        if total <= MOST_BYTES:
            break
        path.unlink(missing_ok=True)
        total -= freed
