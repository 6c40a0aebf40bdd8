"""A cell of a folder of records: find its record, or run it and write one."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rbench.checkpoint import remove
from rbench.errors import UserError
from rbench.record import Record, RecordError, read, to_json, write_atomically
from rbench.resolve import Resolved

if TYPE_CHECKING:
    from rbench.execute import Execution


@dataclass(frozen=True)
class Cell:
    """A record, where it is, and whether it was made just now."""

    record: Record
    path: Path
    ran: bool


def record_path(output: Path, resolved: Resolved) -> Path:
    """Where the record of a run lies in ``output``."""
    return output / f"{resolved.slug}.json"


def finished(output: Path, resolved: Resolved) -> Record | None:
    """The record of a run that was done before; None if there is none, or it did not end well."""
    path = record_path(output, resolved)
    if not path.exists():
        return None
    try:
        record = read(path)
    except RecordError:
        return None
    return record if record.status == "done" and record.digest == resolved.digest else None


def check_writable(output: Path) -> None:
    """UserError, before anything is computed, if no record could be written to ``output``."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=output, prefix=".rbench-") as probe:
            probe.write(b"rbench")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise UserError(f"cannot write to --output {output}: {error.strerror}") from error


def run_cell(
    resolved: Resolved, output: Path, execution: Execution, *, force: bool = False
) -> Cell:
    """The finished record of a run if ``output`` has it, else run it and write its record.

    A run that does not end well never replaces the record of one that did.
    """
    from rbench.execute import execute

    path = record_path(output, resolved)
    done = finished(output, resolved)
    if done is not None and not force:
        return Cell(done, path, ran=False)
    record = execute(resolved, execution)
    if done is not None and record.status != "done":
        path = path.with_suffix(f".{record.status}.json")
    if int(os.environ.get("RANK", "0")) == 0:
        write_atomically(path, to_json(record))
        checkpoints = execution.checkpoints(resolved)
        if record.status == "done" and checkpoints is not None:
            remove(checkpoints)
    return Cell(record, path, ran=True)
