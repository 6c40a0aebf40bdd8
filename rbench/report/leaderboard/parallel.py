"""Work on several cores, by forks of this process: nothing has to be sent to them."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from rbench import hardware

A = TypeVar("A")
B = TypeVar("B")
BATCHES = 4
"""For each core. A fork's copies of pages that it shares are given back with its batch."""


def side_by_side(make: Callable[[A], B], items: Sequence[A], sizes: Sequence[float]) -> list[B]:
    """``make`` of every item; what it returns, or raises, must be picklable.

    In this process where there is one core, or no safe fork: off Linux, or with torch loaded,
    whose threads a fork does not have.
    """
    cores = min(hardware.cores(), len(items))
    if cores < 2 or not sys.platform.startswith("linux") or "torch" in sys.modules:
        return [make(item) for item in items]
    waiting = _batches(sizes, BATCHES * cores)
    fork = multiprocessing.get_context("fork")
    running: dict[Connection, tuple[Any, list[int]]] = {}
    found: dict[int, B] = {}
    # Without this the collector would write to, and so copy, every page that the forks share.
    gc.freeze()
    try:
        while waiting or running:
            while waiting and len(running) < cores:
                batch = waiting.pop(0)
                receiver, sender = fork.Pipe(duplex=False)
                process = fork.Process(target=_work, args=(sender, make, items, batch))
                process.start()
                sender.close()
                running[receiver] = process, batch
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                process, batch = running[ready]
                made = ready.recv()
                process.join()
                del running[ready]
                if isinstance(made, Exception):
                    raise made
                found.update(zip(batch, made, strict=True))
    finally:
        for process, _ in running.values():
            process.kill()
            process.join()
        gc.unfreeze()
    return [found[place] for place in range(len(items))]


def _batches(sizes: Sequence[float], count: int) -> list[list[int]]:
    """Places of items in batches of about the same size, the largest batch first."""
    batches: list[list[int]] = [[] for _ in range(min(count, len(sizes)))]
    totals = [0.0] * len(batches)
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place]):
        smallest = totals.index(min(totals))
        batches[smallest].append(place)
        totals[smallest] += sizes[place]
    return [batch for _, batch in sorted(zip(totals, batches, strict=True), reverse=True) if batch]


def _work(
    sender: Connection, make: Callable[[Any], Any], items: Sequence[Any], batch: list[int]
) -> None:
    # Ctrl-C is for the parent, which ends its forks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sender.send([make(items[place]) for place in batch])
    except Exception as error:
        sender.send(error)


__all__ = ["side_by_side"]
