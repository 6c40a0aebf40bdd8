"""Signals that ask a process to go, such as Slurm's before it takes a machine away.

The process goes at once, by SystemExit, except while a training that keeps checkpoints is going
on: that goes at its next step, once it has saved, so that the same command continues from there.
Who asks again after two seconds is obeyed at once. Not sooner: Slurm may signal the workers of a
job and their executor alike, which then asks them, too.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

INSIST_SECONDS = 2.0


class _State:
    asked: int | None = None
    since = 0.0
    postponed = False
    pid = 0
    """The process that listens: one that it forks, such as a loader's, inherits the handler."""


_state = _State()


def listen(*names: str) -> None:
    """Take the named signals as a wish to leave; those that this system lacks are passed over."""
    _state.asked, _state.postponed, _state.pid = None, False, os.getpid()
    if threading.current_thread() is not threading.main_thread():
        return
    for name in names:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _hear)


def asked() -> bool:
    """Whether somebody wants this process to leave."""
    return _state.asked is not None


def leave() -> None:
    """Leave, if somebody has asked for it."""
    if _state.asked is not None:
        raise SystemExit(128 + _state.asked)


@contextmanager
def postponed(able: bool = True) -> Iterator[None]:
    """Inside, the wish is only noted: the block asks for it where it is ready, and leaves."""
    _state.postponed = able
    try:
        yield
    finally:
        _state.postponed = False
    leave()


def _hear(number: int, frame: object) -> None:
    if os.getpid() != _state.pid:
        raise SystemExit(128 + number)
    if _state.asked is None:
        _state.asked, _state.since = number, time.monotonic()
        if not _state.postponed:
            leave()
    elif time.monotonic() - _state.since > INSIST_SECONDS:
        leave()


__all__ = ["asked", "leave", "listen", "postponed"]
