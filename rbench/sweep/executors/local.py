"""Runs on this machine: a few worker processes, each executing one job after another.

The parent computes nothing. It hands out jobs, enforces limits of time and memory, and writes the
record of a run whose worker could not. After a failure on a GPU or for lack of memory the worker
is replaced, so that one run cannot spoil the next.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import wait
from typing import Any

from rbench import hardware
from rbench.errors import UserError
from rbench.records.record import Record
from rbench.records.store import Store
from rbench.sweep.executors.base import Event, EventKind, OnEvent, Settings
from rbench.sweep.executors.worker_process import Worker, WorkerStarter
from rbench.sweep.job import RunJob
from rbench.sweep.locks import RunLocks
from rbench.sweep.text import recorded_failure, tail

TICK = 0.1
STARTUP_SECONDS = 600.0
END_SECONDS = 30.0
"""For workers that were asked to end: a training saves at its next step."""
ELSEWHERE_SECONDS = 2.0
"""How long to wait before asking again for a run that another process has locked."""


class Local:
    """The default executor."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings.output)
        self.locks = RunLocks(self.store, settings.lease_seconds)
        self.loop: Loop | None = None

    def run(self, jobs: Sequence[RunJob], on_event: OnEvent) -> None:
        """See :class:`rbench.sweep.executors.base.Executor`."""
        self.locks.prepare()
        if jobs:
            self.loop = Loop(self.settings, self.store, self.locks, jobs, on_event)
            self.loop.run()

    def end(self) -> None:
        """Let the workers save and end, from a signal's handler while ``run`` is active."""
        if self.loop is not None:
            self.loop.end()


class Loop:
    """One call of :meth:`Local.run`."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        locks: RunLocks,
        jobs: Sequence[RunJob],
        on_event: OnEvent,
    ) -> None:
        self.settings, self.store, self.locks, self.on_event = settings, store, locks, on_event
        self.jobs = jobs
        self.waiting = deque(jobs)
        self.elsewhere: deque[tuple[float, RunJob]] = deque()
        self.attempts: dict[str, int] = {}
        self.failed: set[str] = set()
        """The runs that failed since the sweep began, in whichever process."""
        self.slots, threads = slots_and_threads(settings, jobs)
        self.starter = WorkerStarter(
            settings,
            threads,
            fork=all(job.device == "cpu" for job in jobs),
            gpus=hardware.gpus() if all(job.device == "cuda" for job in jobs) else [],
        )
        self.workers: dict[int, Worker] = {}

    def run(self) -> None:
        """Execute all jobs, or as many as ``max_failures`` allows."""
        try:
            while self.waiting or self.elsewhere or self._busy():
                if self._too_many_failures() and not self._busy():
                    break
                self._assign()
                self._listen()
                for worker in list(self.workers.values()):
                    self._enforce_limits(worker)
            for job in [*self.waiting, *(job for _, job in self.elsewhere)]:
                self._report("stopped", job)
        finally:
            self.end()

    def end(self) -> None:
        """Leave no process behind: ask first, so that trainings are saved, then insist."""
        for worker in self.workers.values():
            worker.terminate()
        deadline = time.monotonic() + END_SECONDS
        try:
            for worker in self.workers.values():
                worker.wait(max(0.0, deadline - time.monotonic()))
        finally:
            # Also when a second Ctrl-C ends the waiting.
            for worker in list(self.workers.values()):
                self._drop(worker)
            self.starter.close()

    def _busy(self) -> bool:
        return any(worker.job is not None for worker in self.workers.values())

    def _too_many_failures(self) -> bool:
        limit = self.settings.max_failures
        return limit is not None and len(self.failed) >= limit

    def _count_failures_elsewhere(self) -> None:
        """Those of other tasks of a cluster, or of another machine's sweep of the folder.

        Only where a limit makes their number matter: it takes a look at every record.
        """
        if self.settings.max_failures is not None:
            others = (job for job in self.jobs if job.slug not in self.failed)
            self.failed |= {job.slug for job in others if job.has_failed(self.store)}

    def _report(self, kind: EventKind, job: RunJob, slot: int = 0, **more: Any) -> None:
        self.on_event(Event(kind, job.slug, slot, **more))

    def _assign(self) -> None:
        """Give jobs to free slots."""
        now = time.monotonic()
        while self.elsewhere and self.elsewhere[0][0] <= now:
            self.waiting.append(self.elsewhere.popleft()[1])
        for slot in range(self.slots):
            self._skip_ended()
            worker = self.workers.get(slot)
            if self.waiting and (worker is None or worker.job is None):
                self._count_failures_elsewhere()
            if not self.waiting or self._too_many_failures():
                return
            if worker is None:
                try:
                    worker = self.workers[slot] = self.starter.start(slot)
                except OSError as error:
                    text = error.strerror or str(error)
                    raise UserError(f"cannot start a worker process: {text}") from error
            if worker.job is None:
                worker.give(self.waiting.popleft())

    def _skip_ended(self) -> None:
        """Skip jobs that another process has executed meanwhile, well or not."""
        while self.waiting:
            job = self.waiting[0]
            if self.store.status(job.slug, job.digest) == "done":
                self._report("done", job, text="was already done")
            elif job.has_failed(self.store):
                self.failed.add(job.slug)
                self._report("failed", job, text=recorded_failure(self.store, job.slug))
            else:
                return
            self.waiting.popleft()

    def _listen(self) -> None:
        """Handle what workers say, for at most :data:`TICK` seconds."""
        pipes = {worker.events: worker for worker in self.workers.values()}
        if not pipes:
            time.sleep(TICK)
        wait(list(pipes), TICK)
        for worker in pipes.values():
            for event in worker.hear():
                self._handle(worker, event.pop("event"), event)
            if worker.ended and self.workers.get(worker.slot) is worker:
                self._died(worker)

    def _handle(self, worker: Worker, kind: Any, event: dict[str, Any]) -> None:
        job, text = worker.job, event.get("text", "")
        spoilt = event.pop("spoilt", False)
        if kind == "unsafe":
            self.starter.use_spawn()
            self._drop(worker)
            if job is not None:
                self.waiting.appendleft(job)
        elif kind == "ready" or job is None:
            worker.ready = True
        elif kind == "started":
            worker.started = time.monotonic()
            self._report("started", job, worker.slot)
        elif kind in ("progress", "note"):
            self._report(kind, job, worker.slot, **event)
        elif kind == "elsewhere":
            worker.job = worker.started = None
            self._report("elsewhere", job, worker.slot, text=text)
            if self.settings.wait:
                self.elsewhere.append((time.monotonic() + ELSEWHERE_SECONDS, job))
        elif kind == "unwritable":
            raise UserError(
                f"{text}; once it can be written again, the same command continues the sweep"
            )
        else:
            worker.job = worker.started = None
            if kind == "failed":
                self.failed.add(job.slug)
            self._report(kind, job, worker.slot, **event)
            if spoilt:
                self._drop(worker)

    def _enforce_limits(self, worker: Worker) -> None:
        settings, now = self.settings, time.monotonic()
        if not worker.ready and now - worker.created > STARTUP_SECONDS:
            worker.process.kill()
        if worker.job is None or worker.started is None:
            return
        if settings.time_limit is not None and now - worker.started > settings.time_limit:
            message = f"took longer than the time limit of {settings.time_limit:g} s"
            worker.dump_stacks()
            self._fail(worker, "TimeLimit", message)
        elif settings.memory_limit is not None and worker.memory() > settings.memory_limit * 2**30:
            message = f"used more memory than the limit of {settings.memory_limit:g} GiB"
            self._fail(worker, "MemoryLimit", message)

    def _died(self, worker: Worker) -> None:
        """A worker ended by itself, or was killed by somebody else."""
        job = worker.job
        worker.wait(2)
        self._drop(worker)
        if job is None:
            return
        if self.store.status(job.slug, job.digest) == "done":
            self.store.discard_leftovers([job.slug])
            self._report("done", job, worker.slot)
            return
        attempt = self.attempts[job.slug] = self.attempts.get(job.slug, 0) + 1
        if attempt <= self.settings.retries:
            self._report("retry", job, worker.slot, text=worker.exit_reason())
            self.waiting.appendleft(job)
            return
        self._fail(worker, "WorkerDied", f"{worker.exit_reason()}, {attempt} times")

    def _fail(self, worker: Worker, kind: str, message: str) -> None:
        """End a worker and write the record of its run."""
        job = worker.job
        assert job is not None
        seconds = 0.0 if worker.started is None else time.monotonic() - worker.started
        self._drop(worker)
        worker.job = None
        text = tail(self.store.log(job.slug)) or worker.said()
        at = text.find("most recent call first")
        stacks = text[text.rfind("\n", 0, at) + 1 :] if at >= 0 else ""
        self.failed.add(job.slug)
        self._write(job, job.failed(kind, message, stacks, text, seconds))
        self._report("failed", job, worker.slot, text=f"{kind}: {message}", seconds=seconds)

    def _write(self, job: RunJob, record: Record) -> None:
        try:
            lock = self.locks.acquire(job.slug)
            if lock is None:
                return
            with lock:
                if self.store.status(job.slug, job.digest) != "done":
                    self.store.write(job.slug, record)
        except OSError as error:
            raise self.store.cannot_write(error) from error

    def _drop(self, worker: Worker) -> None:
        if self.workers.get(worker.slot) is worker:
            del self.workers[worker.slot]
        worker.kill()


def slots_and_threads(settings: Settings, jobs: Sequence[RunJob]) -> tuple[int, int]:
    """How many runs are executed at the same time, and with how many CPU threads each."""
    cores = hardware.cores()
    slots = settings.slots
    if slots is None:
        devices = {job.device for job in jobs}
        if devices == {"cuda"}:
            slots = max(1, len(hardware.gpus()))
        elif devices and all(device.startswith("cuda") for device in devices):
            # GPUs that the runs name: two runs at the same time might be on one.
            slots = 1
        else:
            slots = max(1, cores // (settings.threads or 1))
    slots = min(slots, max(1, len(jobs)))
    return slots, settings.threads or max(1, cores // slots)


__all__ = ["Local", "slots_and_threads"]
