"""Work on several cores, by forks of this process: nothing has to be sent to them."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

from rbench import hardware

A = TypeVar("A")
B = TypeVar("B")
_work: tuple[Callable[[Any], Any], Sequence[Any]]
"""What the forks do and to what: they have it as this process had it."""


def side_by_side(make: Callable[[A], B], items: Sequence[A], sizes: Sequence[float]) -> list[B]:
    """``make`` of every item, the largest first; what it returns, or raises, must be picklable.

    In this process where there is one core, or no safe fork: off Linux, or with torch loaded,
    whose threads a fork does not have.
    """
    global _work
    cores = min(hardware.cores(), len(items))
    if cores < 2 or not sys.platform.startswith("linux") or "torch" in sys.modules:
        return [make(item) for item in items]
    _work = make, items
    # Without this the collector would write to, and so copy, every page that the forks share.
    gc.freeze()
    fork = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(cores, fork, _leave_interrupts)
    try:
        order = sorted(range(len(items)), key=lambda place: -sizes[place])
        running = {place: pool.submit(_make, place) for place in order}
        return [running[place].result() for place in range(len(items))]
    finally:
        pool.shutdown(cancel_futures=True)
        del _work
        gc.unfreeze()


def _leave_interrupts() -> None:
    """Ctrl-C is for the parent, which ends its forks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _make(place: int) -> Any:
    make, items = _work
    return make(items[place])


__all__ = ["side_by_side"]
