"""The record of a run: loaded from a results folder that has it, or made by executing the run."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rbench.errors import UserError
from rbench.files import write_atomically
from rbench.records.record import Record, RecordError, read, to_json
from rbench.records.status import FileVersion, file_version
from rbench.records.store import Store
from rbench.spec.resolve import Resolved
from rbench.sweep.locks import RunLock, RunLocks

if TYPE_CHECKING:
    from rbench.runner.execute import Execution

WAIT_SECONDS = 1.0


@dataclass(frozen=True)
class RunResult:
    """A record, its file, and whether the run was executed now."""

    record: Record
    path: Path
    executed: bool


def run_or_load(
    resolved: Resolved, output: Path, execution: Execution, *, force: bool = False
) -> RunResult:
    """The finished record of a run if ``output`` has it, else execute it and write its record.

    The run is locked while it is executed; if another process has it, that one is waited for. A
    failed or interrupted repetition never replaces the record of a run that is done. UserError if
    the folder cannot be written, or if another process has a run that several processes share.
    """
    store = Store(output)
    resolved = resolved.named_in(store)
    done = store.finished(resolved.slug, resolved.digest)
    if done is not None and not force:
        return RunResult(done, store.record(resolved.slug), executed=False)
    if process_rank() > 0:
        return _run(resolved, store, execution, done)
    with _wait_for_lock(resolved.slug, store, execution):
        # Another process may have finished it meanwhile.
        done = store.finished(resolved.slug, resolved.digest)
        if done is not None and not force:
            return RunResult(done, store.record(resolved.slug), executed=False)
        return _run(resolved, store, execution, done)


def process_rank() -> int:
    """The index of this process in a data-parallel run, as its launcher says."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """The number of processes of a data-parallel run, as its launcher says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def _wait_for_lock(slug: str, store: Store, execution: Execution) -> RunLock:
    locks = RunLocks(store)
    said = False
    try:
        locks.prepare()
        while (lock := locks.acquire(slug)) is None:
            owner = locks.owners().get(slug)
            if owner is not None and world_size() > 1:
                raise UserError(f"{owner} is already executing this run: {slug}")
            if owner is not None and not said:
                said = True
                execution.on_message(f"{owner} is executing this run; waiting for its record")
            time.sleep(WAIT_SECONDS)
    except OSError as error:
        raise store.cannot_write(error) from error
    return lock


def _run(resolved: Resolved, store: Store, execution: Execution, done: Record | None) -> RunResult:
    from rbench.runner.execute import execute

    path = store.record(resolved.slug)
    failed = path if done is None else store.other_record(resolved.slug, "failed")
    before = file_version(failed)
    record = execute(resolved, execution)
    if process_rank() > 0 and record.error is not None:
        record.notes.append(f"process {process_rank()} of {world_size()} failed")
    if done is not None and record.status != "done":
        path = store.other_record(resolved.slug, record.status)
    if process_rank() == 0 or record.status == "failed":
        # A run failed if it failed in one process, also where another is done with its part later.
        if _already_explained(failed, before):
            return RunResult(read(failed), failed, executed=True)
        write_atomically(path, to_json(record))
        if record.status == "done" and execution.folder is not None:
            store.discard_checkpoints(resolved.slug)
    return RunResult(record, path, executed=True)


def _already_explained(failed: Path, before: FileVersion | None) -> bool:
    """Whether another process of this run has recorded its failure: the first cause is kept."""
    if world_size() == 1 or file_version(failed) in (None, before):
        return False
    try:
        return read(failed).status == "failed"
    except RecordError:
        return False
