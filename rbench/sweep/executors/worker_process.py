"""Worker processes as the local executor sees them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Literal

import psutil

from rbench.sweep import worker
from rbench.sweep.environment import applied, child_environment
from rbench.sweep.executors.base import Settings
from rbench.sweep.job import RunJob
from rbench.sweep.text import tail

FORKSERVER_ATTEMPTS = 3
"""After this many failures to start it, the forkserver is not used any more."""
LOST = 255
"""The exit code that multiprocessing reports for a worker that died with its forkserver."""


class WorkerStarter:
    """Starts the workers of a sweep, and ends what they were started from.

    For runs on the CPU of Linux, workers are forked from Python's forkserver, which imports torch
    and timm once for all of them. A fork cannot use a GPU that its parent has touched, and other
    systems' libraries do not survive a fork; there, each worker is a new interpreter.
    """

    def __init__(self, settings: Settings, threads: int, *, fork: bool, gpus: list[str]) -> None:
        self.settings, self.threads, self.gpus = settings, threads, gpus
        self.method: Literal["forkserver", "spawn"] = (
            "forkserver" if fork and sys.platform.startswith("linux") else "spawn"
        )
        self.failures = 0
        self.folder = tempfile.TemporaryDirectory(prefix="rbench-", ignore_cleanup_errors=True)

    def start(self, slot: int) -> Worker:
        """Start a worker; it may take seconds until the first of a sweep has imported everything.

        OSError if not even a new interpreter can be started.
        """
        while True:
            gpu = self.gpus[slot % len(self.gpus)] if self.gpus else None
            handle, printed = tempfile.mkstemp(dir=self.folder.name, suffix=f"-{slot}.log")
            os.close(handle)
            made = Worker(slot, self.settings, self.method, Path(printed))
            try:
                with applied(child_environment(self.threads, gpu)):
                    if self.method == "forkserver":
                        self._ensure_forkserver()
                    made.start()
                return made
            except (OSError, EOFError):
                # The forkserver has died; multiprocessing starts another one the next time.
                made.close()
                if self.method == "spawn":
                    raise
                self.failures += 1
                if self.failures >= FORKSERVER_ATTEMPTS:
                    self.method = "spawn"

    def use_spawn(self) -> None:
        """Start new interpreters from now on: importing a plugin has started a thread."""
        self.method = "spawn"

    def forkserver(self) -> psutil.Process | None:
        """The process that workers are forked from, if it is running."""
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.Error):
                running = child.status() != psutil.STATUS_ZOMBIE
                if running and any("multiprocessing.forkserver" in w for w in child.cmdline()):
                    return child
        return None

    def close(self) -> None:
        """End the forkserver: the next sweep of this process may need another environment."""
        if (process := self.forkserver()) is not None:
            with contextlib.suppress(psutil.Error):
                process.kill()
                # Not waited for: multiprocessing itself asks for its exit code.
                deadline = time.monotonic() + 5
                while process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
                    time.sleep(0.002)
        self.folder.cleanup()

    def _ensure_forkserver(self) -> None:
        """Start it if it is not running, with its output (and that of forks) in a file."""
        forkserver.set_forkserver_preload(["rbench.sweep.forkserver"])
        sys.stdout.flush()
        sys.stderr.flush()
        path = Path(self.folder.name) / "forkserver.log"
        with path.open("ab") as printed, contextlib.ExitStack() as restore:
            for standard in (1, 2):
                saved = os.dup(standard)
                restore.callback(os.close, saved)
                restore.callback(os.dup2, saved, standard)
                os.dup2(printed.fileno(), standard)
            forkserver.ensure_running()


class Worker:
    """A process that executes runs in a slot (:mod:`rbench.sweep.worker`), and its current job."""

    def __init__(
        self, slot: int, settings: Settings, method: Literal["forkserver", "spawn"], printed: Path
    ) -> None:
        self.slot = slot
        self.job: RunJob | None = None
        self.created = time.monotonic()
        self.started: float | None = None
        self.ready = self.ended = False
        self.printed = printed
        context: Any = multiprocessing.get_context(method)
        self._jobs_there, self.jobs = context.Pipe(duplex=False)
        self.events, self._events_there = context.Pipe(duplex=False)
        arguments = (self._jobs_there, self._events_there, settings.model_dump_json(), str(printed))
        self.process = context.Process(target=worker.main, args=arguments)

    def start(self) -> None:
        """Start the process. OSError or EOFError if that fails."""
        self.process.start()
        # Only the worker's copies stay open, so that its end closes the pipes.
        self._jobs_there.close()
        self._events_there.close()

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self.process.pid is not None
        return self.process.pid

    def give(self, job: RunJob) -> None:
        """Send the next job."""
        assert self.job is None
        self.job = job
        # If the worker has died, the end of its events says so.
        with contextlib.suppress(BrokenPipeError):
            self.jobs.send(job.model_dump_json())

    def hear(self) -> list[dict[str, Any]]:
        """The events that came in; afterwards ``ended`` says whether more can come."""
        exited = self.process.exitcode is not None
        found: list[dict[str, Any]] = []
        try:
            while self.events.poll():
                found.append(self.events.recv())
        except (EOFError, OSError):
            exited = True
        self.ended = self.ended or exited
        return found

    def memory(self) -> int:
        """Bytes that the process and its children hold now, without the pages of libraries."""
        total = 0
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            for member in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    info = member.memory_info()
                    total += info.rss - getattr(info, "shared", 0)
        return total

    def dump_stacks(self) -> None:
        """Make it write the stack of every thread into the run's log."""
        if hasattr(signal, "SIGUSR1") and self.process.is_alive():
            os.kill(self.pid, signal.SIGUSR1)
            time.sleep(0.3)

    def terminate(self) -> None:
        """Ask it to save, to release its lock and to end."""
        if self.process.is_alive():
            self.process.terminate()

    def wait(self, seconds: float) -> None:
        """Give it time to end."""
        self.process.join(seconds)

    def kill(self) -> None:
        """End it and the processes that it started, and close the pipes."""
        if self.process.pid is not None:
            if self.process.is_alive():
                # It leads a group, unless it has only just started.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)
            self.process.kill()
            self.process.join()
        self.close()

    def close(self) -> None:
        """Close this end of the pipes."""
        for pipe in (self.jobs, self.events, self._jobs_there, self._events_there):
            with contextlib.suppress(OSError):
                pipe.close()

    def exit_reason(self) -> str:
        """How it ended, with the last line that it printed before its first run."""
        code = self.process.exitcode
        last = "" if self.ready else (self.said().strip().splitlines() or [""])[-1]
        more = f": {last}" if last else ""
        if code == LOST:
            return f"its process ended with the process that it was forked from{more}"
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = " (the system may have been out of memory)" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{hint}{more}"
        return f"its process ended with code {code}{more}"

    def said(self) -> str:
        """The end of what it printed outside of runs, or else of what its forkserver printed."""
        return tail(self.printed) or tail(self.printed.parent / "forkserver.log")
