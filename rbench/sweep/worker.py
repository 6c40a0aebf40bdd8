"""The process that executes runs: jobs come in through one pipe, events go out through another.

The local executor starts a few and gives each one job after another, so that torch and timm are
imported once and not for every run. What a run prints goes into a log of its own. A worker dies
with the process that started it.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rbench.errors import UserError
from rbench.files import write_atomically
from rbench.plugin.catalog import Catalog
from rbench.records.record import Record, to_json
from rbench.records.store import Store
from rbench.runner import preemption
from rbench.spec.resolve import resolve
from rbench.sweep.executors.base import Settings
from rbench.sweep.job import RunJob
from rbench.sweep.locks import RunLock, RunLocks
from rbench.sweep.process_death import die_with
from rbench.sweep.text import failure, metrics, recorded_failure, tail

Emit = Callable[..., None]
PROGRESS_SECONDS = 0.25


def main(jobs: Connection, events: Connection, settings: str, printed: str) -> None:
    """Execute jobs until the other end of ``jobs`` is closed.

    ``settings`` is JSON; what is printed outside of runs is appended to the file ``printed``.
    """
    _print_to(os.open(printed, os.O_WRONLY | os.O_APPEND))
    with suppress(OSError):
        # A session of its own: Ctrl-C is for the parent, which ends workers one by one.
        os.setsid()
    _keep_priority()

    def emit(event: str, **more: Any) -> None:
        try:
            events.send({"event": event, **more})
        except BrokenPipeError:
            # The executor has died; this process is about to, and its run did not fail.
            os._exit(1)

    forkserver: Any = sys.modules.get("rbench.sweep.forkserver")
    if forkserver is not None and not forkserver.FORK_SAFE:
        emit("unsafe")
        return
    die_with(os.getppid() if forkserver is None else forkserver.PID)
    # Slurm's signal is USR2, by way of submitit, and it reaches all processes of a job.
    preemption.install_handlers("SIGTERM", "SIGUSR2", "SIGINT")
    # The executor sends USR1 to find out where a run hangs that it is about to end.
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    # Before the time limit of a run starts.
    from rbench.sweep import preload

    import torch  # isort: skip

    torch.set_num_threads(preload.THREADS)
    catalog = preload.CATALOG or Catalog.from_environment()
    emit("ready")
    while True:
        try:
            job = RunJob.model_validate_json(jobs.recv())
        except EOFError:
            return
        serve(job, Settings.model_validate_json(settings), catalog, emit)


def serve(job: RunJob, settings: Settings, catalog: Catalog, emit: Emit) -> None:
    """Execute one job and write its record, unless another process has the run."""
    store = Store(settings.output)
    locks = RunLocks(store, settings.lease_seconds)
    try:
        lock = locks.acquire(job.slug)
    except OSError as error:
        emit("unwritable", text=str(store.cannot_write(error)))
        return
    if lock is None:
        owner = locks.owners().get(job.slug)
        emit("elsewhere", text=str(owner) if owner else "")
        return
    with lock:
        ended = _locked(lock, job, store, settings, catalog, emit)
    # After the lock is released: the executor may end this process when it hears of it.
    emit(**ended)


def _locked(
    lock: RunLock, job: RunJob, store: Store, settings: Settings, catalog: Catalog, emit: Emit
) -> dict[str, Any]:
    if lock.took_over:
        store.discard_partial_files(job.slug)
    if store.status(job.slug, job.digest) == "done":
        store.discard_leftovers([job.slug])
        return {"event": "done", "text": "was already done"}
    if job.has_failed(store):
        return {"event": "failed", "text": recorded_failure(store, job.slug)}
    log = _print_to_log(store.log(job.slug))
    emit("started")
    start = time.perf_counter()
    record = _run(job, store, settings, catalog, emit)
    if record.status == "interrupted":
        raise SystemExit(130)
    if record.status == "failed":
        # Perhaps because of a request to end: a library may have caught the SystemExit.
        preemption.exit_if_requested()
    if record.error is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        record.error.log = tail(log)
    refused = _write(lock, job, store, record, settings, emit)
    if refused is not None:
        return refused
    if record.status == "done":
        store.discard_checkpoints(job.slug)
        store.discard_log(job.slug)
    spoilt = record.error is not None and (
        job.device != "cpu" or record.error.kind in ("MemoryError", "OutOfMemoryError")
    )
    seconds = round(time.perf_counter() - start, 3)
    return {
        "event": record.status,
        "text": failure(record) or metrics(record),
        "seconds": seconds,
        "spoilt": spoilt,
    }


def _run(job: RunJob, store: Store, settings: Settings, catalog: Catalog, emit: Emit) -> Record:
    from rbench.runner.execute import Execution, execute

    said = 0.0

    def progress(phase: str, done: int, total: int, text: str = "") -> None:
        nonlocal said
        now = time.monotonic()
        if now - said > PROGRESS_SECONDS:
            said = now
            emit("progress", text=f"{phase} {text}".strip(), done=done, total=total)

    execution = Execution(
        folder=store.output,
        progress=progress,
        on_message=lambda text: emit("note", text=text),
        plugins=catalog.plugins,
        command=settings.command,
        checkpoint_every=settings.checkpoint_every,
        save_weights=settings.save_weights,
    )
    try:
        resolved = resolve(job.run_spec(), catalog)
        if resolved.digest != job.digest:
            return job.failed(
                "Changed",
                "the run has another identity in this process than where the sweep started: "
                "a plugin, the data or the machine's precision differs",
            )
        return execute(replace(resolved, known_as=job.slug), execution)
    except UserError as error:
        return job.failed(type(error).__name__, str(error), traceback.format_exc())


def _write(
    lock: RunLock, job: RunJob, store: Store, record: Record, settings: Settings, emit: Emit
) -> dict[str, Any] | None:
    """Write the record while the lock is held; wait for a folder that is full or has vanished.

    Returns None, or the event that says why it was not written.
    """
    path = store.record(job.slug)
    deadline = time.monotonic() + settings.write_seconds
    said = False
    while True:
        try:
            if not lock.is_held():
                text = "the lock was taken over; this result was dropped"
                return {"event": "elsewhere", "text": text}
            write_atomically(path, to_json(record))
            return None
        except (OSError, UserError) as error:
            text = str(error) if isinstance(error, UserError) else f"{path}: {error.strerror}"
            if not said:
                said = True
                emit("note", text=f"{text}; trying for {settings.write_seconds:.0f} s")
            if time.monotonic() > deadline:
                return {"event": "unwritable", "text": text}
        time.sleep(0.2)


def _print_to_log(path: Path) -> Path:
    """Send what this process prints to a run's log."""
    try:
        path.parent.mkdir(exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    except OSError:
        handle = os.open(os.devnull, os.O_WRONLY)
    _print_to(handle)
    return path


def _keep_priority() -> None:
    """Let ``nice`` hold for the new session as well.

    Where Linux schedules by session (autogroup), the niceness of a process counts inside of its
    session only, and a new session starts at 0. Others than root may set it ten times a second on
    the whole machine, hence the attempts.
    """
    group = Path("/proc/self/autogroup")
    niceness = os.nice(0)
    for _ in range(10 if niceness > 0 and group.exists() else 0):
        with suppress(OSError):
            group.write_text(str(niceness))
            return
        time.sleep(0.11)


def _print_to(handle: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
