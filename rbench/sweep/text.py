"""Short texts about runs: the end of a log, the first numbers of a record."""

from __future__ import annotations

import os
from pathlib import Path

from rbench.records.record import Record


def tail(path: Path, size: int = 6000) -> str:
    """The last ``size`` bytes of a file as text; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def metrics(record: Record, most: int = 3) -> str:
    """The first metrics of a record, such as ``top1 97.2 %, loss 0.11``; or nothing."""
    known = [value for value in record.metrics if value.value is not None][:most]
    return ", ".join(f"{v.name} {v.value:.4g}{f' {v.unit}' if v.unit else ''}" for v in known)
