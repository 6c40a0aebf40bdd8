"""What a folder of records holds, without opening more of it than needed.

The first bytes of a record say how its run ended and the last ones whether it is whole, so a
hundred thousand records can be looked through in seconds.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from rbench.records.record import RecordError, read

Status = Literal["done", "failed", "interrupted"]
Stamp = tuple[int, int]
_HEAD = re.compile(
    rb'\{\s*"schema_version": \d+,\s*"digest": "([0-9a-f]{64})",\s*'
    rb'"status": "(done|failed|interrupted)"'
)


def stamp(path: Path) -> Stamp | None:
    """Tells whether a file has been written anew; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def status(path: Path, digest: str) -> Status | None:
    """How the run of that digest in the record ``path`` ended; None if there is no such record."""
    try:
        # Unbuffered: a buffer would be filled with what is not looked at.
        with path.open("rb", buffering=0) as file:
            head = file.read(400)
            file.seek(-2, 2)
            whole = file.read(2) == b"}\n"
    except OSError:
        return None
    found = _HEAD.match(head)
    if found is None or not whole:
        # Written by somebody else, or by an older rbench.
        try:
            record = read(path)
        except RecordError:
            return None
        return record.status if record.digest == digest else None
    if found[1].decode() != digest:
        return None
    ended = found[2].decode()
    return "done" if ended == "done" else "failed" if ended == "failed" else "interrupted"
