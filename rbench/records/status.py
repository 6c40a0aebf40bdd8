"""How a run ended, read from the first bytes of its record.

The first bytes of a record hold its status and the last ones show whether it is complete, so a
hundred thousand records are checked in seconds.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from rbench.records.record import RecordError, read

Status = Literal["done", "failed", "interrupted"]
FileVersion = tuple[int, int]
_HEAD = re.compile(
    rb'\{\s*"schema_version": \d+,\s*"digest": "([0-9a-f]{64})",\s*'
    rb'"status": "(done|failed|interrupted)"'
)


def file_version(path: Path) -> FileVersion | None:
    """Changes whenever the file is written atomically; None if there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def run_status(path: Path, digest: str) -> Status | None:
    """How the run of that digest in the record ``path`` ended; None if there is no such record."""
    try:
        # Unbuffered: a buffer would read bytes that are not needed.
        with path.open("rb", buffering=0) as file:
            head = file.read(400)
            file.seek(-2, 2)
            complete = file.read(2) == b"}\n"
    except OSError:
        return None
    found = _HEAD.match(head)
    if found is None or not complete:
        # Formatted differently, or by an older rbench: parse all of it.
        try:
            record = read(path)
        except RecordError:
            return None
        return record.status if record.digest == digest else None
    if found[1].decode() != digest:
        return None
    ended = found[2].decode()
    return "done" if ended == "done" else "failed" if ended == "failed" else "interrupted"
