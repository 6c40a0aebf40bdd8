"""The process that runs cells: tickets come in on standard input, events go out.

``python -m rbench.sweep.worker`` is started by the local executor and runs one cell after another,
so that the seconds in which torch and timm are imported are spent once. What a cell prints goes
into a log of its own. The process dies with the one that started it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rbench.errors import UserError, printable
from rbench.files import write_atomically
from rbench.records.record import Record, to_json
from rbench.records.status import status
from rbench.runner import preemption
from rbench.runner.checkpoint import remove
from rbench.sweep.executors.base import Settings
from rbench.sweep.executors.worker_process import end_of
from rbench.sweep.job import Ticket
from rbench.sweep.locks import Claim, Claims
from rbench.sweep.run_cell import record_path

if TYPE_CHECKING:
    from rbench.plugin.catalog import Catalog

Emit = Callable[..., None]
PROGRESS_SECONDS = 0.25


def main(catalog: Catalog | None = None, parent: int | None = None) -> None:
    """Serve tickets until standard input ends; ``catalog`` and ``parent`` are given to a fork."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    die_with(os.getppid() if parent is None else parent)
    # The second is Slurm's, by way of submitit, where it signals all that belongs to a job.
    preemption.listen("SIGTERM", "SIGUSR2", "SIGINT")
    # The executor asks with this signal where a cell hangs that it is about to end.
    faulthandler.register(signal.SIGUSR1, all_threads=True)

    def emit(event: str, **more: Any) -> None:
        try:
            events.write(json.dumps({"event": event, **more}) + "\n")
            events.flush()
        except BrokenPipeError:
            # The executor has died, and in a moment this process does: that is no failed cell.
            os._exit(1)

    settings = Settings.model_validate_json(sys.stdin.readline())
    # The long import, before the clock of a cell runs.
    import rbench.runner.execute
    from rbench.plugin.catalog import Catalog
    from rbench.runner.quiet import quiet_libraries

    assert rbench.runner.execute

    quiet_libraries()
    catalog = catalog or Catalog.from_environment()
    emit("ready")
    for line in sys.stdin:
        serve(Ticket.model_validate_json(line), settings, catalog, emit)


def serve(ticket: Ticket, settings: Settings, catalog: Any, emit: Emit) -> None:
    """Bring one ticket to its record, unless another process has it."""
    claims = Claims(settings.output, settings.patience)
    try:
        claim = claims.take(ticket.slug)
    except OSError as error:
        emit("unwritable", text=f"cannot write to --output {settings.output}: {error.strerror}")
        return
    if claim is None:
        owner = claims.running().get(ticket.slug)
        emit("elsewhere", text=str(owner) if owner else "")
        return
    with claim:
        ended = _claimed(claim, ticket, settings, catalog, emit)
    # Not before the claim is let go: the executor may end this process on hearing it.
    emit(**ended)


def _claimed(
    claim: Claim, ticket: Ticket, settings: Settings, catalog: Any, emit: Emit
) -> dict[str, Any]:
    path = settings.output / f"{ticket.slug}.json"
    if claim.took_over:
        for torn in settings.output.glob(f".{path.name[:160]}.*"):
            torn.unlink(missing_ok=True)
    if status(path, ticket.digest) == "done":
        return {"event": "done", "text": "was done already"}
    log = _log(settings.output, ticket.slug)
    emit("started")
    start = time.perf_counter()
    record = _run(ticket, settings, catalog, emit)
    if record.status == "interrupted":
        raise SystemExit(130)
    if record.status == "failed":
        # Perhaps for being asked to leave: some library may have caught SystemExit on its way.
        preemption.leave()
    if record.error is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        record.error.log = end_of(log)
    refused = _write(claim, path, record, settings, emit)
    if refused is not None:
        return refused
    if record.status == "done":
        remove(settings.output / ".checkpoints" / ticket.slug)
        with contextlib.suppress(OSError):
            log.unlink(missing_ok=True)
    text = printable(f"{record.error.kind}: {record.error.message}") if record.error else ""
    spoilt = record.error is not None and (
        ticket.device != "cpu" or record.error.kind in ("MemoryError", "OutOfMemoryError")
    )
    seconds = round(time.perf_counter() - start, 3)
    return {"event": record.status, "text": text, "seconds": seconds, "spoilt": spoilt}


def _run(ticket: Ticket, settings: Settings, catalog: Any, emit: Emit) -> Record:
    from rbench.runner.execute import Execution, execute
    from rbench.spec.resolve import resolve

    said = 0.0

    def progress(phase: str, done: int, total: int, text: str = "") -> None:
        nonlocal said
        now = time.monotonic()
        if now - said > PROGRESS_SECONDS:
            said = now
            emit("progress", text=f"{phase} {text}".strip(), done=done, total=total)

    execution = Execution(
        folder=settings.output,
        progress=progress,
        say=lambda text: emit("note", text=text),
        plugins=catalog.plugins,
        command=settings.command,
        checkpoint_every=settings.checkpoint_every,
    )
    try:
        resolved = resolve(ticket.run_spec(), catalog)
        if resolved.digest != ticket.digest:
            return ticket.failed(
                "Changed",
                "in this process the run has another identity than where the sweep began: "
                "a plugin, the data or the machine's precision differs",
            )
        assert record_path(settings.output, resolved).stem == ticket.slug
        return execute(resolved, execution)
    except UserError as error:
        return ticket.failed(type(error).__name__, str(error), traceback.format_exc())


def _write(
    claim: Claim, path: Path, record: Record, settings: Settings, emit: Emit
) -> dict[str, Any] | None:
    """Write the record while the claim holds; wait for a folder that is full or away.

    Returns the event that says why not, or None.
    """
    deadline = time.monotonic() + settings.write_patience
    complained = False
    while True:
        try:
            if not claim.held():
                text = "the claim was taken over; this result was dropped"
                return {"event": "elsewhere", "text": text}
            write_atomically(path, to_json(record))
            return None
        except (OSError, UserError) as error:
            text = str(error) if isinstance(error, UserError) else f"{path}: {error.strerror}"
            if not complained:
                complained = True
                emit("note", text=f"{text}; trying for {settings.write_patience:.0f} s")
            if time.monotonic() > deadline:
                return {"event": "unwritable", "text": text}
        time.sleep(0.2)


def _log(output: Path, slug: str) -> Path:
    """Send what this process prints to the cell's log."""
    path = output / ".logs" / f"{slug}.log"
    try:
        path.parent.mkdir(exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    except OSError:
        handle = os.open(os.devnull, os.O_WRONLY)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    return path


def die_with(parent: int) -> None:
    """Ask the kernel to end this process when that of its parent ends, however that happens."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        raise SystemExit(1)


__all__ = ["main", "serve"]

if __name__ == "__main__":
    main()
