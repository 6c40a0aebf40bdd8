"""Who runs a cell: claims in a folder that several processes and machines may share.

A claim is a file ``.claims/<slug>.<n>``, made whole and exclusively by a hard link, that names
its owner's host and process. The owner touches it every now and then. A claim whose owner is dead
is taken over by making the next number: of two that try, the link of one fails. Nothing is ever
renamed or locked, so this holds on network file systems too.
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

PATIENCE = 300.0
"""Seconds without a touch after which the owner on another machine counts as dead."""


@dataclass(frozen=True)
class Owner:
    """A process, told apart from a later one with the same number by its start."""

    host: str
    space: str
    pid: int
    started: str
    token: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Claims:
    """The claims of a folder of records."""

    def __init__(self, output: Path, patience: float = PATIENCE) -> None:
        self.folder, self.patience = output / ".claims", patience

    def prepare(self) -> None:
        """Make the folder; afterwards its absence means that ``output`` has vanished."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def take(self, slug: str) -> Claim | None:
        """Claim a cell, or None where a living process has it. OSError if nothing can be written.

        Each taker writes first and looks again afterwards, so of two at most one goes on; where
        both give way, the next attempt decides.
        """
        me = Owner(*_myself(), secrets.token_hex(8))
        temporary = self.folder / f".{me.token}"
        try:
            temporary.write_text(json.dumps(asdict(me)), encoding="utf-8")
            now = temporary.stat().st_mtime
            before = {path: _read(path) for path in self._of(slug)}
            if any(self._alive(path, now) for path in before):
                return None
            number = 1 + max((int(path.suffix[1:]) for path in before), default=0)
            mine = self.folder / f"{slug}.{number}"
            if not _link(temporary, mine):
                return None
        finally:
            temporary.unlink(missing_ok=True)
        after = {path: _read(path) for path in self._of(slug) if path != mine}
        if any(path not in before or before[path] != owner for path, owner in after.items()):
            mine.unlink(missing_ok=True)
            return None
        for path in before:
            path.unlink(missing_ok=True)
        return Claim(self, slug, mine, me, took_over=bool(before))

    def running(self) -> dict[str, Owner]:
        """The cells that a living process has, and that process."""
        try:
            paths = [Path(entry.path) for entry in os.scandir(self.folder)]
            probe = self.folder / f".{secrets.token_hex(8)}"
            probe.touch()
            now = probe.stat().st_mtime
            probe.unlink(missing_ok=True)
        except OSError:
            return {}
        found = {}
        for path in paths:
            if not path.name.startswith(".") and self._alive(path, now):
                owner = _read(path)
                if owner is not None:
                    found[path.stem] = owner
        return found

    def _of(self, slug: str) -> list[Path]:
        return [
            self.folder / name
            for name in os.listdir(self.folder)
            if name.rpartition(".")[0] == slug and name.rpartition(".")[2].isdigit()
        ]

    def _alive(self, path: Path, now: float) -> bool:
        try:
            quiet = now - path.stat().st_mtime
        except OSError:
            return False
        owner = _read(path)
        if owner is None:
            # Where hard links are missing a claim is empty for a moment.
            return quiet < 10
        host, space, _, _ = _myself()
        if (owner.host, owner.space) == (host, space):
            return _start_of(owner.pid) == owner.started
        return quiet < self.patience


class Claim:
    """A cell that this process has; release it, or use it as a context manager."""

    def __init__(
        self, claims: Claims, slug: str, path: Path, owner: Owner, *, took_over: bool
    ) -> None:
        self.claims, self.slug, self.path, self.owner = claims, slug, path, owner
        self.took_over = took_over
        self._over = threading.Event()
        threading.Thread(target=self._touch, daemon=True).start()

    def held(self) -> bool:
        """Whether it is still ours. OSError where the folder has vanished."""
        others = {path.name for path in self.claims._of(self.slug)} - {self.path.name}
        return not others and _read(self.path) == self.owner

    def release(self) -> None:
        """Let the cell go."""
        self._over.set()
        with suppress(OSError):
            if _read(self.path) == self.owner:
                self.path.unlink(missing_ok=True)

    def _touch(self) -> None:
        while not self._over.wait(self.claims.patience / 10):
            with suppress(OSError):
                os.utime(self.path)

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@cache
def _host() -> tuple[str, str]:
    try:
        # Containers may share a host's name; they do not share its process numbers.
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return socket.gethostname(), space


def _myself() -> tuple[str, str, int, str]:
    return (*_host(), os.getpid(), _start_of(os.getpid()) or "")


def _start_of(pid: int) -> str | None:
    """When a process of this machine began; None if there is none, or it is a zombie."""
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
    """Give ``source`` the name ``target`` unless something has it."""
    try:
        os.link(source, target)
        return True
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
            raise
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        file.write(source.read_bytes())
    return True
