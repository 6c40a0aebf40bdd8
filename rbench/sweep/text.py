"""Short texts about runs: the end of a log, the first numbers of a record."""

from __future__ import annotations

import os
from pathlib import Path

from rbench.errors import printable
from rbench.records.record import Record, RecordError, read
from rbench.records.store import Store


def tail(path: Path, size: int = 6000) -> str:
    """The last ``size`` bytes of a file as text; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def failure(record: Record) -> str:
    """Why a run failed, in a line; empty if it did not."""
    return printable(f"{record.error.kind}: {record.error.message}") if record.error else ""


def recorded_failure(store: Store, slug: str) -> str:
    """What the record of a run says that another process has executed."""
    try:
        return f"another process recorded {failure(read(store.record(slug)))}"
    except RecordError as error:
        return printable(error)


def metrics(record: Record, most: int = 3) -> str:
    """The first metrics of a record, such as ``top1 97.2 %, loss 0.11``; or nothing."""
    known = [value for value in record.metrics if value.value is not None][:most]
    return ", ".join(f"{v.name} {v.value:.4g}{f' {v.unit}' if v.unit else ''}" for v in known)
