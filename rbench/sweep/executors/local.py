"""Cells on this machine: a few worker processes, each running one cell after another.

The parent never computes. It hands out tickets, watches deadlines and memory, and writes the
record of a cell whose worker could not. Where a cell failed on a GPU or for want of memory its
worker is replaced, so that one cell cannot spoil the next.
"""

from __future__ import annotations

import os
import selectors
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from rbench import hardware
from rbench.errors import UserError
from rbench.files import write_atomically
from rbench.records.record import Record, to_json
from rbench.records.status import status
from rbench.sweep.executors.base import Event, Report, Settings
from rbench.sweep.executors.forkserver_client import Forked, Zygote, possible
from rbench.sweep.executors.worker_process import Spawned, Worker, end_of, environment_of
from rbench.sweep.job import Ticket
from rbench.sweep.locks import Claims

TICK = 0.1
STARTUP_SECONDS = 600.0
LEAVE_SECONDS = 30.0
"""For workers that are asked to leave: a training saves at its next step."""
ELSEWHERE_SECONDS = 2.0
"""How long to wait before asking again for a cell that somebody else runs."""


class Local:
    """The default executor."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.claims = Claims(settings.output, settings.patience)
        self.sweep: _Sweep | None = None

    def run(self, tickets: Sequence[Ticket], report: Report) -> None:
        """See :class:`rbench.sweep.executors.base.Executor`."""
        try:
            self.claims.prepare()
        except OSError as error:
            output = self.settings.output
            raise UserError(f"cannot write to --output {output}: {error.strerror}") from error
        if tickets:
            self.sweep = _Sweep(self.settings, self.claims, tickets, report)
            self.sweep.run()

    def leave(self) -> None:
        """Let the workers save and go, from a signal's handler while ``run`` is under way."""
        if self.sweep is not None:
            self.sweep.end()


class _Sweep:
    def __init__(
        self, settings: Settings, claims: Claims, tickets: Sequence[Ticket], report: Report
    ) -> None:
        self.settings, self.claims, self.report = settings, claims, report
        self.waiting = deque(tickets)
        self.elsewhere: deque[tuple[float, Ticket]] = deque()
        self.attempts: dict[str, int] = {}
        self.failures = 0
        self.slots, self.threads = shares(settings, tickets)
        self.gpus = gpus() if all(t.device == "cuda" for t in tickets) else []
        self.forks = possible() and all(t.device == "cpu" for t in tickets)
        self.zygote: Zygote | None = None
        self.workers: dict[int, Worker] = {}
        self.selector = selectors.DefaultSelector()

    def run(self) -> None:
        try:
            while self.waiting or self.elsewhere or self._busy():
                if self._enough() and not self._busy():
                    break
                self._offer()
                for key, _ in self.selector.select(TICK):
                    self._hear(key.data)
                for worker in list(self.workers.values()):
                    self._watch(worker)
            for ticket in [*self.waiting, *(ticket for _, ticket in self.elsewhere)]:
                self._say("stopped", ticket)
        finally:
            self.end()

    def _busy(self) -> bool:
        return any(worker.ticket is not None for worker in self.workers.values())

    def _enough(self) -> bool:
        limit = self.settings.max_failures
        return limit is not None and self.failures >= limit

    def _say(self, kind: Any, ticket: Ticket, slot: int = 0, **more: Any) -> None:
        self.report(Event(kind, ticket.slug, slot, **more))

    def _offer(self) -> None:
        """Give tickets to free slots."""
        now = time.monotonic()
        while self.elsewhere and self.elsewhere[0][0] <= now:
            self.waiting.append(self.elsewhere.popleft()[1])
        self._pass_over()
        for slot in range(self.slots):
            if not self.waiting or self._enough():
                return
            worker = self.workers.get(slot)
            if worker is None:
                worker = self.workers[slot] = Worker(slot, self.settings, self._starter(slot))
                self.selector.register(worker.events, selectors.EVENT_READ, worker)
            if worker.ticket is None and (ticket := self._next()) is not None:
                worker.give(ticket)

    def _starter(self, slot: int) -> Callable[[IO[bytes]], Spawned | Forked]:
        """How the slot's worker comes to be: for cells on the CPU, as a fork where that can be.

        A fork has its imports for nothing. It cannot use a GPU that its parent has touched.
        """
        if not self.forks:
            gpu = self.gpus[slot % len(self.gpus)] if self.gpus else None
            return partial(Spawned, environment_of(self.threads, gpu))
        if self.zygote is None or not self.zygote.alive:
            self.zygote = Zygote(environment_of(self.threads))
        return self.zygote.fork

    def _next(self) -> Ticket | None:
        """The next cell that nobody has brought to an end in the meantime."""
        self._pass_over()
        return self.waiting.popleft() if self.waiting else None

    def _pass_over(self) -> None:
        while self.waiting:
            ticket = self.waiting[0]
            if status(self.settings.output / f"{ticket.slug}.json", ticket.digest) != "done":
                return
            self.waiting.popleft()
            self._say("done", ticket, text="was done already")

    def _hear(self, worker: Worker) -> None:
        for event in worker.hear():
            ticket = worker.ticket
            kind, text = event.pop("event"), event.get("text", "")
            spoilt = event.pop("spoilt", False)
            if kind == "ready" or ticket is None:
                worker.ready = True
            elif kind == "started":
                worker.started = time.monotonic()
                self._say("started", ticket, worker.slot)
            elif kind in ("progress", "note"):
                self._say(kind, ticket, worker.slot, **event)
            elif kind == "elsewhere":
                worker.ticket = worker.started = None
                self._say("elsewhere", ticket, worker.slot, text=text)
                if self.settings.wait:
                    self.elsewhere.append((time.monotonic() + ELSEWHERE_SECONDS, ticket))
            elif kind == "unwritable":
                raise UserError(f"{text}; the same command goes on when it can be written again")
            else:
                worker.ticket = worker.started = None
                self.failures += kind == "failed"
                self._say(kind, ticket, worker.slot, **event)
                if spoilt:
                    self._drop(worker)
        if worker.ended:
            self._died(worker)

    def _watch(self, worker: Worker) -> None:
        """Hold a worker to its limits."""
        settings, now = self.settings, time.monotonic()
        if not worker.ready and now - worker.born > STARTUP_SECONDS:
            worker.kill()
        if worker.ticket is None or worker.started is None:
            return
        if settings.time_limit is not None and now - worker.started > settings.time_limit:
            message = f"took longer than the time limit of {settings.time_limit:g} s"
            worker.ask_where()
            self._fail(worker, "TimeLimit", message)
        elif settings.memory_limit is not None and worker.memory() > settings.memory_limit * 2**30:
            message = f"used more memory than the limit of {settings.memory_limit:g} GiB"
            self._fail(worker, "MemoryLimit", message)

    def _died(self, worker: Worker) -> None:
        """A worker has gone by itself, or somebody ended it."""
        ticket = worker.ticket
        worker.wait(2)
        self._drop(worker)
        if ticket is None:
            return
        worker.ticket = None
        if status(self.settings.output / f"{ticket.slug}.json", ticket.digest) == "done":
            self._say("done", ticket, worker.slot)
            return
        attempt = self.attempts[ticket.slug] = self.attempts.get(ticket.slug, 0) + 1
        if attempt <= self.settings.retries:
            self._say("retry", ticket, worker.slot, text=worker.epitaph())
            self.waiting.appendleft(ticket)
            return
        worker.ticket = ticket
        self._fail(worker, "WorkerDied", f"{worker.epitaph()}, {attempt} times")

    def _fail(self, worker: Worker, kind: str, message: str) -> None:
        """End a worker and write the record of its cell."""
        ticket = worker.ticket
        assert ticket is not None
        seconds = 0.0 if worker.started is None else time.monotonic() - worker.started
        self._drop(worker)
        worker.ticket = None
        log = self.settings.output / ".logs" / f"{ticket.slug}.log"
        text = end_of(log) or worker.said()
        at = text.find("most recent call first")
        trace = text[text.rfind("\n", 0, at) + 1 :] if at >= 0 else ""
        self.failures += 1
        self._record(ticket, ticket.failed(kind, message, trace, text, seconds))
        self._say("failed", ticket, worker.slot, text=f"{kind}: {message}", seconds=seconds)

    def _record(self, ticket: Ticket, record: Record) -> None:
        path = self.settings.output / f"{ticket.slug}.json"
        try:
            claim = self.claims.take(ticket.slug)
            if claim is None:
                return
            with claim:
                if status(path, ticket.digest) != "done":
                    write_atomically(path, to_json(record))
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from error

    def _drop(self, worker: Worker) -> None:
        if self.workers.get(worker.slot) is worker:
            self.selector.unregister(worker.events)
            del self.workers[worker.slot]
        worker.kill()

    def end(self) -> None:
        """Leave no process behind: ask first, so that trainings are saved, then insist."""
        for worker in self.workers.values():
            worker.leave()
        deadline = time.monotonic() + LEAVE_SECONDS
        for worker in list(self.workers.values()):
            worker.wait(max(0.0, deadline - time.monotonic()))
            self._drop(worker)
        if self.zygote is not None:
            self.zygote.kill()
        self.selector.close()


def shares(settings: Settings, tickets: Sequence[Ticket]) -> tuple[int, int]:
    """How many cells run at a time, and with how many CPU threads each."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    slots = settings.slots
    if slots is None:
        on_gpus = bool(tickets) and all(ticket.device.startswith("cuda") for ticket in tickets)
        slots = max(1, len(gpus())) if on_gpus else max(1, cores // (settings.threads or 1))
    slots = min(slots, max(1, len(tickets)))
    return slots, settings.threads or max(1, cores // slots)


def gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [part for part in visible.split(",") if part.strip()]
    if not hardware.has_cuda():
        return []
    return sorted(p.name.removeprefix("nvidia") for p in Path("/dev").glob("nvidia[0-9]*"))


__all__ = ["Local", "gpus", "shares"]
