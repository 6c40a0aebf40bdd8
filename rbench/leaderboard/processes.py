"""Work on several cores, by forks of this process: nothing has to be sent to them."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rbench import hardware

A = TypeVar("A")
B = TypeVar("B")
INTERRUPT = (signal.SIGINT, signal.SIG_IGN)
"""Ctrl-C is for the parent, which ends its forks."""
_work: tuple[Callable[[Any], Any], Sequence[Any]] | None = None


def side_by_side(make: Callable[[A], B], items: Sequence[A], sizes: Sequence[float]) -> list[B]:
    """``make`` of every item, the largest first; what it returns must be picklable.

    In this process where there is one core, or no safe fork: off Linux, or with torch loaded,
    whose threads a fork does not have.
    """
    global _work
    cores = min(hardware.cores(), len(items))
    if cores < 2 or not sys.platform.startswith("linux") or "torch" in sys.modules:
        return [make(item) for item in items]
    order = sorted(range(len(items)), key=lambda place: -sizes[place])
    _work = make, items
    # Without this the collector would write to, and so copy, every page that the forks share.
    gc.freeze()
    try:
        with multiprocessing.get_context("fork").Pool(cores, signal.signal, INTERRUPT) as pool:
            made = pool.map(_nth, order, chunksize=1)
    finally:
        gc.unfreeze()
        _work = None
    found = dict(zip(order, made, strict=True))
    return [found[place] for place in range(len(items))]


def _nth(place: int) -> Any:
    assert _work is not None
    make, items = _work
    return make(items[place])


__all__ = ["side_by_side"]
