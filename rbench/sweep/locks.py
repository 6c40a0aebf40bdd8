"""Locks of runs, in a folder that several processes and machines may share.

A lock is a file ``.locks/SLUG.N`` that names its owner's host and process. It is created complete
and exclusively by a hard link, and the owner touches it periodically. The lock of a dead owner is
taken over by creating the next number: of two processes that try, the link of one fails. Nothing
is renamed or locked by the kernel, so this also holds on network file systems.

filelock's ``SoftFileLease`` is not used, although its design is the same. As of 4.3.1 it takes a
dead owner's lease over by ``renameat2(RENAME_EXCHANGE)`` and, where the file system has no such
call, never: Linux's NFS and CIFS have none, nor have many FUSE file systems (tried: bindfs). It
also creates the folder anew where that has vanished (an unmounted disk), takes a zombie for a
living owner (containers whose first process reaps nothing leave zombies), and after the death of
another machine waits for a full lease even if the file's age already shows the death.
``benchmarks/lock_takeover.py`` shows the first two on a folder of your choice.

The start of a process is read from /proc because psutil derives it from the wall clock, which may
be set while a run is under way; two processes would then disagree on who the owner is.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from rbench.records.store import Store

LEASE_SECONDS = 300.0
"""An owner on another machine counts as dead if it did not touch its lock for so long."""


@dataclass(frozen=True)
class Owner:
    """A process, distinguished from a later one with the same number by its start time."""

    host: str
    space: str
    pid: int
    started: str
    token: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class RunLocks:
    """The locks of a results folder."""

    def __init__(self, store: Store, lease_seconds: float = LEASE_SECONDS) -> None:
        self.store, self.folder, self.lease_seconds = store, store.locks, lease_seconds

    def prepare(self) -> None:
        """Create the folder; from then on its absence means that the results have vanished.

        UserError if it cannot be created.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.store.cannot_write(error) from error

    def acquire(self, slug: str) -> RunLock | None:
        """Lock a run, or None if a living process has it. OSError if nothing can be written.

        Each process writes first and checks again afterwards, so at most one of two continues;
        where both give up, the next attempt decides.
        """
        me = Owner(*_this_process(), secrets.token_hex(8))
        temporary = self.folder / f".{me.token}"
        try:
            temporary.write_text(json.dumps(asdict(me)), encoding="utf-8")
            now = temporary.stat().st_mtime
            before = {path: _read(path) for path in self.files_of(slug)}
            if any(self._is_alive(path, now) for path in before):
                return None
            number = 1 + max((int(path.suffix[1:]) for path in before), default=0)
            own = self.folder / f"{slug}.{number}"
            if not _link(temporary, own):
                return None
        finally:
            temporary.unlink(missing_ok=True)
        after = {path: _read(path) for path in self.files_of(slug) if path != own}
        if any(path not in before or before[path] != owner for path, owner in after.items()):
            own.unlink(missing_ok=True)
            return None
        for path in before:
            path.unlink(missing_ok=True)
        return RunLock(self, slug, own, me, took_over=bool(before))

    def owners(self) -> dict[str, Owner]:
        """The locked runs, by slug, and the living process that has each."""
        try:
            paths = [Path(entry.path) for entry in os.scandir(self.folder)]
            # Ages are differences of the file server's own times, whatever this clock says.
            probe = self.folder / f".{secrets.token_hex(8)}"
            probe.touch()
            now = probe.stat().st_mtime
            probe.unlink(missing_ok=True)
        except OSError:
            return {}
        found = {}
        for path in paths:
            if not path.name.startswith(".") and self._is_alive(path, now):
                owner = _read(path)
                if owner is not None:
                    found[path.stem] = owner
        return found

    def files_of(self, slug: str) -> list[Path]:
        """The lock files of a run: one, or two for the moment of a takeover."""
        return [
            self.folder / name
            for name in os.listdir(self.folder)
            if name.rpartition(".")[0] == slug and name.rpartition(".")[2].isdigit()
        ]

    def _is_alive(self, path: Path, now: float) -> bool:
        try:
            age = now - path.stat().st_mtime
        except OSError:
            return False
        owner = _read(path)
        if owner is None:
            # On a file system without hard links a lock is empty for a moment.
            return age < 10
        host, space, _, _ = _this_process()
        if (owner.host, owner.space) == (host, space):
            return _start_of(owner.pid) == owner.started
        return age < self.lease_seconds


class RunLock:
    """A run that this process has locked; release it, or use it as a context manager."""

    def __init__(
        self, locks: RunLocks, slug: str, path: Path, owner: Owner, *, took_over: bool
    ) -> None:
        self.locks, self.slug, self.path, self.owner = locks, slug, path, owner
        self.took_over = took_over
        self._released = threading.Event()
        threading.Thread(target=self._renew, daemon=True).start()

    def is_held(self) -> bool:
        """Whether this process still has the run. OSError if the folder has vanished."""
        others = {path.name for path in self.locks.files_of(self.slug)} - {self.path.name}
        return not others and _read(self.path) == self.owner

    def release(self) -> None:
        """Unlock the run."""
        self._released.set()
        with suppress(OSError):
            if _read(self.path) == self.owner:
                self.path.unlink(missing_ok=True)

    def _renew(self) -> None:
        while not self._released.wait(self.locks.lease_seconds / 10):
            with suppress(OSError):
                os.utime(self.path)

    def __enter__(self) -> RunLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@cache
def _host() -> tuple[str, str]:
    try:
        # Containers may share a host's name, but process numbers are those of a PID namespace.
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return socket.gethostname(), space


def _this_process() -> tuple[str, str, int, str]:
    return (*_host(), os.getpid(), _start_of(os.getpid()) or "")


def _start_of(pid: int) -> str | None:
    """When a process of this machine started; None if there is none, or it is a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except OSError:
        if os.path.isdir("/proc/self"):
            return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return ""


def _read(path: Path) -> Owner | None:
    try:
        return Owner(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _link(source: Path, target: Path) -> bool:
    """Give ``source`` the name ``target`` too, unless the name is taken."""
    try:
        os.link(source, target)
        return True
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
            raise
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        file.write(source.read_bytes())
    return True
