"""A cell of a folder of records: find its record, or run it and write one."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rbench.errors import UserError
from rbench.files import write_atomically
from rbench.records.record import Record, RecordError, read, to_json
from rbench.records.status import Stamp, stamp
from rbench.runner.checkpoint import remove
from rbench.spec.resolve import Resolved
from rbench.sweep.locks import Claim, Claims

if TYPE_CHECKING:
    from rbench.runner.execute import Execution


WAIT_SECONDS = 1.0


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

    While it runs the cell is claimed; where another process has it, that one is waited for. A run
    that does not end well never replaces the record of one that did. UserError where the folder
    cannot be written, or if another process has a cell that several processes shall run.
    """
    path = record_path(output, resolved)
    done = finished(output, resolved)
    if done is not None and not force:
        return Cell(done, path, ran=False)
    if rank() > 0:
        return _run(resolved, path, execution, done)
    with _claim(resolved, output, execution):
        # Somebody may have brought it to an end while we waited.
        done = finished(output, resolved)
        if done is not None and not force:
            return Cell(done, path, ran=False)
        return _run(resolved, path, execution, done)


def _claim(resolved: Resolved, output: Path, execution: Execution) -> Claim:
    """The claim on a cell, when nobody else has it any more."""
    claims = Claims(output)
    complained = False
    try:
        claims.prepare()
        while (claim := claims.take(resolved.slug)) is None:
            owner = claims.running().get(resolved.slug)
            if owner is not None and int(os.environ.get("WORLD_SIZE", "1")) > 1:
                raise UserError(f"{owner} runs this cell already: {resolved.slug}")
            if owner is not None and not complained:
                complained = True
                execution.say(f"{owner} runs this cell; waiting for its record")
            time.sleep(WAIT_SECONDS)
    except OSError as error:
        raise UserError(f"cannot write to --output {output}: {error.strerror}") from error
    return claim


def _run(resolved: Resolved, path: Path, execution: Execution, done: Record | None) -> Cell:
    from rbench.runner.execute import execute

    failed = path if done is None else path.with_suffix(".failed.json")
    before = stamp(failed)
    record = execute(resolved, execution)
    if rank() > 0 and record.error is not None:
        record.notes.append(f"process {rank()} of {os.environ.get('WORLD_SIZE', '?')} failed")
    if done is not None and record.status != "done":
        path = path.with_suffix(f".{record.status}.json")
    if rank() == 0 or record.status == "failed":
        if record.status != "done" and _told(failed, before):
            return Cell(read(failed), failed, ran=True)
        write_atomically(path, to_json(record))
        checkpoints = execution.checkpoints(resolved)
        if record.status == "done" and checkpoints is not None:
            remove(checkpoints)
    return Cell(record, path, ran=True)


def _told(failed: Path, before: Stamp | None) -> bool:
    """Whether another process of this run has said why it failed: the first cause is kept."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or stamp(failed) in (None, before):
        return False
    try:
        return read(failed).status == "failed"
    except RecordError:
        return False


def rank() -> int:
    """This process's number among those of a data-parallel run, as its launcher says."""
    return int(os.environ.get("RANK", "0"))
