"""A worker process as the local executor sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from rbench.sweep.executors.base import Settings
from rbench.sweep.executors.forkserver_client import Forked
from rbench.sweep.job import Ticket

LAUNCHER = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class Spawned(subprocess.Popen[bytes]):
    """A worker that imports everything itself."""

    def __init__(self, environment: Mapping[str, str], printed: IO[bytes]) -> None:
        super().__init__(
            [sys.executable, "-m", "rbench.sweep.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=printed,
            env=dict(environment),
            # Ctrl-C is the parent's: it lets the workers go one by one.
            start_new_session=True,
        )

    def kill(self) -> None:
        """End it and the processes that it started."""
        if self.poll() is None:
            with suppress(OSError, AttributeError):
                os.killpg(self.pid, signal.SIGKILL)
        super().kill()


def environment_of(threads: int, gpu: str | None = None) -> dict[str, str]:
    """The environment of a worker: its threads and GPU, and none of a launcher's variables."""
    environment = {k: v for k, v in os.environ.items() if k not in LAUNCHER}
    environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return environment if gpu is None else environment | {"CUDA_VISIBLE_DEVICES": gpu}


class Worker:
    """A process that runs cells in a slot (:mod:`rbench.sweep.worker`), and what it is doing."""

    def __init__(
        self, slot: int, settings: Settings, start: Callable[[IO[bytes]], Spawned | Forked]
    ) -> None:
        self.slot = slot
        self.ticket: Ticket | None = None
        self.born = time.monotonic()
        self.started: float | None = None
        self.ready = self.ended = False
        self.buffer = b""
        self.printed = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = start(self.printed)
        assert self.process.stdout is not None
        self.events = self.process.stdout
        os.set_blocking(self.events.fileno(), False)
        self._send(settings.model_dump_json())

    def give(self, ticket: Ticket) -> None:
        """Hand over the next cell."""
        assert self.ticket is None
        self.ticket = ticket
        self._send(ticket.model_dump_json())

    def hear(self) -> list[dict[str, Any]]:
        """The events that came in; afterwards ``ended`` says whether more can come."""
        try:
            while content := os.read(self.events.fileno(), 1 << 16):
                self.buffer += content
            self.ended = True
        except BlockingIOError:
            pass
        *lines, self.buffer = self.buffer.split(b"\n")
        return [json.loads(line) for line in lines]

    def memory(self) -> int:
        """Bytes that the process and its children hold now; 0 where the system does not tell."""
        pid = self.process.pid
        return 0 if pid is None else sum(_resident(member) for member in _family(pid))

    def ask_where(self) -> None:
        """Make it write the stack of every thread into the cell's log."""
        if hasattr(signal, "SIGUSR1") and self.process.poll() is None:
            self.process.send_signal(signal.SIGUSR1)
            time.sleep(0.3)

    def leave(self) -> None:
        """Ask it to let go of its claim and end."""
        if self.process.poll() is None:
            self.process.terminate()

    def wait(self, seconds: float) -> None:
        """Give it time to end."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)

    def kill(self) -> None:
        """End it and the processes that it started."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.events):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def epitaph(self) -> str:
        """How it ended."""
        code = self.process.returncode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = " (the system may have been out of memory)" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{hint}"
        return f"its process ended with code {code}"

    def said(self, size: int = 6000) -> str:
        """The end of what it printed outside of cells, or else of what its zygote did."""
        text = b""
        zygote = self.process.zygote.printed if isinstance(self.process, Forked) else None
        for printed in (self.printed, zygote):
            if printed is not None and not text:
                printed.seek(0, os.SEEK_END)
                printed.seek(max(0, printed.tell() - size))
                text = printed.read()
        return text.decode(errors="replace")

    def _send(self, line: str) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            # It has died; the end of its events says so.
            pass


def end_of(path: Path, size: int = 6000) -> str:
    """The end of a text file; empty where there is none."""
    try:
        return path.read_bytes()[-size:].decode(errors="replace")
    except OSError:
        return ""


def _family(pid: int) -> list[int]:
    found, queue = [], [pid]
    while queue:
        found.append(queue.pop())
        try:
            with open(f"/proc/{found[-1]}/task/{found[-1]}/children", encoding="ascii") as file:
                queue += map(int, file.read().split())
        except OSError:
            continue
    return found


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            # Without pages of files: libraries are shared, and the system can drop them.
            _, resident, shared, *_ = map(int, file.read().split())
            return (resident - shared) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
