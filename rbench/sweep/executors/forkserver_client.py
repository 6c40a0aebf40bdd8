"""Workers that are forked from one process, as the local executor sees them.

:mod:`rbench.sweep.forkserver` is the other end. :class:`Forked` answers as much of
``subprocess.Popen`` as :class:`rbench.sweep.executors.worker_process.Worker` asks.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

ANSWER_SECONDS = 60.0
"""A zygote that leaves a question open for longer, once it has borne a worker, is ended."""


def possible() -> bool:
    """Whether this system can fork a process that has imported torch."""
    return sys.platform.startswith("linux")


class Zygote:
    """The process that bears workers. It imports for seconds, and nobody waits for that here."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(ANSWER_SECONDS)
        self.unborn: deque[Forked] = deque()
        self.printed = tempfile.TemporaryFile()  # noqa: SIM115
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rbench.sweep.forkserver", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self.printed,
                stderr=self.printed,
                env=dict(environment),
                pass_fds=[theirs.fileno()],
                # Ctrl-C is the parent's: it lets the workers go one by one.
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether it can still bear workers."""
        return self.process.poll() is None

    def fork(self, printed: IO[bytes]) -> Forked:
        """A new worker, which prints to ``printed``; it may be yet to come."""
        given, stdin = os.pipe()
        stdout, events = os.pipe()
        worker = Forked(self, os.fdopen(stdin, "wb"), os.fdopen(stdout, "rb"))
        self.unborn.append(worker)
        # Where this fails the zygote is dead, and the worker's events end at once.
        with suppress(OSError):
            socket.send_fds(self.control, [b"fork"], [given, events, printed.fileno()])
        os.close(given)
        os.close(events)
        return worker

    def births(self, flags: int = 0) -> None:
        """Take the numbers of new workers in; OSError if there is one without."""
        while self.unborn:
            self.unborn[0].pid = self._answer(flags)
            self.unborn.popleft()

    def code(self, pid: int) -> int | None:
        """The exit code of a worker; None while it runs."""
        try:
            self.births()
            self.control.sendall(f"poll {pid}".encode())
            code: int | None = self._answer()
            return code
        except OSError:
            self.kill()
            return -signal.SIGKILL

    def kill(self) -> None:
        """End it, and with it all that it has borne."""
        self.process.kill()
        self.process.wait()
        self.control.close()

    def _answer(self, flags: int = 0) -> Any:
        text = self.control.recv(64, flags)
        if not text:
            raise ConnectionResetError
        return json.loads(text)


class Forked:
    """A worker. ``pid`` is None until the zygote has told it."""

    def __init__(self, zygote: Zygote, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.zygote, self.stdin, self.stdout = zygote, stdin, stdout
        self.pid: int | None = None
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code; None while it runs, or is yet to come."""
        if self.returncode is None:
            if self.pid is None and self.zygote.alive:
                with suppress(OSError):
                    self.zygote.births(socket.MSG_DONTWAIT)
            if not self.zygote.alive:
                # It has died with the zygote.
                self.returncode = -signal.SIGKILL
            elif self.pid is not None:
                self.returncode = self.zygote.code(self.pid)
        return self.returncode

    def wait(self, seconds: float = ANSWER_SECONDS) -> int:
        """Its exit code, when it has ended; TimeoutExpired after ``seconds``."""
        deadline = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("rbench.sweep.worker", seconds)
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        """Signal it; what is yet to come is ended."""
        if self.poll() is not None:
            return
        if self.pid is None:
            self.zygote.kill()
        else:
            # Nobody else has its number: it stays a zombie until poll has asked for it.
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and the processes that it started."""
        if self.poll() is None and self.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self.send_signal(signal.SIGKILL)
