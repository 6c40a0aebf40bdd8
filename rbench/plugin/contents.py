"""Identify files by their contents, without reading them again while they are unchanged.

The SHA-256 of each file is kept in the user's cache folder. A stored digest is used only while
path, size, modification time, change time and inode of the file are the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec

from rbench.errors import UserError
from rbench.files import cache_folder, user_path, write_atomically

CHUNK = 256
"""Files that one thread hashes before it takes the next ones."""
RACY_NS = 2_000_000_000
"""A file that changed less than two seconds before it was hashed may change again within the
resolution of its time stamps, so its digest is not stored (Git's index does the same)."""
UNREADABLE = hashlib.sha256(b"unreadable").digest()


class FoundFile(NamedTuple):
    """A file, and by what one can tell that it has changed."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, path: str, status: os.stat_result) -> FoundFile:
        """The file at ``path``, whose ``os.stat`` is ``status``."""
        return cls(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


class _Stored(msgspec.Struct, array_like=True):
    """Digests of the files of one folder, in the order in which they were asked for."""

    paths: list[bytes]
    """Relative to the folder."""
    stamps: list[tuple[int, int, int, int] | None]
    """Size, modification time, change time and inode. None: the digest must not be used again."""
    digests: bytes
    """32 bytes a file."""


def content_digests(
    folder: Path, files: Sequence[FoundFile], skip_bad: bool = False
) -> list[bytes]:
    """The SHA-256 of each of ``files``, which are below ``folder``.

    A file that cannot be read is a UserError, or has the digest ``UNREADABLE`` if ``skip_bad``.
    """
    base = os.path.join(folder, "")
    paths = [os.fsencode(file.path[len(base) :]) for file in files]
    stamps = [file[1:] for file in files]
    # The folder's own path is resolved: the stored digests are the same by whatever link.
    place = cache_folder() / "contents" / _short(os.fsencode(os.path.realpath(folder)))
    stored = _read(place)
    if stored is not None and stored.paths == paths and stored.stamps == stamps:
        return _split(stored.digests)
    known = {}
    if stored is not None:
        known = dict(
            zip(zip(stored.paths, stored.stamps, strict=True), _split(stored.digests), strict=True)
        )
    found = [known.get(key) for key in zip(paths, stamps, strict=True)]
    missing = [index for index, digest in enumerate(found) if digest is None]
    parts = [missing[at : at + CHUNK] for at in range(0, len(missing), CHUNK)]
    keep: list[tuple[int, int, int, int] | None] = list(stamps)
    with ThreadPoolExecutor(min(8, 2 * (os.cpu_count() or 1))) as pool:
        read = pool.map(partial(_hash_each, files, skip_bad), parts)
        for index, (digest, stable) in zip(missing, chain.from_iterable(read), strict=True):
            found[index] = digest
            if not stable:
                keep[index] = None
    answer = [digest for digest in found if digest is not None]
    assert len(answer) == len(files)
    if missing:
        content = msgspec.msgpack.encode(_Stored(paths, keep, b"".join(answer)))
        # A cache that cannot be written costs time and nothing else.
        with contextlib.suppress(UserError):
            write_atomically(place, content)
    return answer


def content_revision(names: Sequence[str], found: Sequence[bytes]) -> str:
    """A revision from names and digests, in this order."""
    lines = (
        name.encode(errors="surrogateescape") + b"\0" + digest
        for name, digest in zip(names, found, strict=True)
    )
    return "sha256:" + hashlib.sha256(b"\n".join(lines)).hexdigest()[:32]


def path_content(path: Path, where: str) -> str:
    """The revision of a file, or of all files below a folder, by names within it and contents.

    UserError, beginning with ``where``, if there is none or it cannot be read.
    """
    place = user_path(str(path))
    try:
        if place.is_dir():
            inside = sorted(p for p in place.rglob("*") if p.is_file())
            names, folder = [p.relative_to(place).as_posix() for p in inside], place
        else:
            inside, names, folder = [place], [""], place.parent
        files = [FoundFile.of(str(p), p.stat()) for p in inside]
    except OSError as error:
        raise UserError(f"{where} cannot be read: {error.strerror}") from error
    if not files:
        raise UserError(f"{where} is an empty folder")
    return content_revision(names, content_digests(folder, files))


def _hash_each(
    files: Sequence[FoundFile], skip_bad: bool, indices: Sequence[int]
) -> list[tuple[bytes, bool]]:
    """The digests of some files, and whether each may be stored."""
    answer = []
    for index in indices:
        file = files[index]
        try:
            answer.append(_hash(file))
        except OSError as error:
            if not skip_bad:
                raise UserError(f"cannot read {file.path}: {error.strerror}") from error
            answer.append((UNREADABLE, False))
    return answer


def _hash(file: FoundFile) -> tuple[bytes, bool]:
    start = time.time_ns()
    with open(file.path, "rb", buffering=0) as stream:
        now = FoundFile.of(file.path, os.fstat(stream.fileno()))
        if file.size <= 1 << 20:
            digest = hashlib.sha256(stream.readall()).digest()
        else:
            digest = hashlib.file_digest(stream, "sha256").digest()
    return digest, now == file and max(file.mtime_ns, file.ctime_ns) < start - RACY_NS


def _read(place: Path) -> _Stored | None:
    """What is stored; None where there is nothing that can be used."""
    try:
        stored = msgspec.msgpack.decode(place.read_bytes(), type=_Stored)
    except (OSError, msgspec.MsgspecError):
        return None
    whole = len(stored.paths) == len(stored.stamps) == len(stored.digests) / 32
    return stored if whole else None


def _split(digests: bytes) -> list[bytes]:
    return [digests[at : at + 32] for at in range(0, len(digests), 32)]


def _short(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]
