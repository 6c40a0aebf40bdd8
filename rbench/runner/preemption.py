"""Signals that ask a process to end, such as Slurm's before it takes a machine away.

The process ends at once, by SystemExit, except during a training that keeps checkpoints: that
saves at its next step and then ends, so that the same command continues from there. A second
signal more than :data:`INSIST_SECONDS` later ends the process at once. Earlier repetitions are
ignored, because Slurm may signal the workers of a job and their executor, which then signals the
workers again.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INSIST_SECONDS = 2.0


class _State:
    requested: int | None = None
    since = 0.0
    deferred = False
    on_ctrl_c: Callable[[], None] | None = None
    pid = 0
    """The process that installed the handlers: its forks, such as data loaders, inherit them."""


_state = _State()


def install_handlers(*names: str, on_ctrl_c: Callable[[], None] | None = None) -> None:
    """Treat the named signals as requests to end; names that this system lacks are skipped.

    With ``on_ctrl_c`` Ctrl-C is such a request, too: the function tells the user that the
    training is being saved, and a second Ctrl-C interrupts at once, as the first one does where
    nothing can be saved.

    Handlers can only be installed from the main thread; elsewhere this only resets the state.
    """
    _state.requested, _state.deferred, _state.pid = None, False, os.getpid()
    _state.on_ctrl_c = on_ctrl_c
    names = names if on_ctrl_c is None else (*names, "SIGINT")
    if threading.current_thread() is not threading.main_thread():
        return
    for name in names:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _handle)


def requested() -> bool:
    """Whether this process was asked to end."""
    return _state.requested is not None


def exit_if_requested() -> None:
    """Raise SystemExit if this process was asked to end."""
    if _state.requested is not None:
        raise SystemExit(128 + _state.requested)


@contextmanager
def deferred(able: bool = True) -> Iterator[None]:
    """Inside, a request is only recorded: the block checks it where it can save, and exits.

    With ``able`` false, for a block that cannot save, requests take effect at once as elsewhere.
    """
    _state.deferred = able
    try:
        yield
    finally:
        _state.deferred = False
    exit_if_requested()


def _handle(number: int, frame: object) -> None:
    if os.getpid() != _state.pid:
        raise SystemExit(128 + number)
    if number == signal.SIGINT and _state.on_ctrl_c is not None:
        if _state.requested is not None or not _state.deferred:
            raise KeyboardInterrupt
        _state.on_ctrl_c()
    if _state.requested is None:
        _state.requested, _state.since = number, time.monotonic()
        if not _state.deferred:
            exit_if_requested()
    elif time.monotonic() - _state.since > INSIST_SECONDS:
        exit_if_requested()


__all__ = ["deferred", "exit_if_requested", "install_handlers", "requested"]
