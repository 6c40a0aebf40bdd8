"""What Slurm and Ray have in common: tasks that share a sweep, and a watcher of the folder.

Every task is given all jobs, each starting at another one; locks and records ensure that each
run is executed once, whether it is done or fails. So a slow task delays no other, and the others
take the runs of one that is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rbench.records.record import RecordError, read
from rbench.records.store import Store
from rbench.sweep.executors.base import Event, OnEvent, Settings
from rbench.sweep.job import RunJob
from rbench.sweep.locks import RunLocks
from rbench.sweep.text import failure, metrics

POLL_SECONDS = 1.0


class ClusterTask:
    """Executes what is missing of the jobs by the local executor. It can be pickled."""

    def __init__(self, settings: Settings, jobs: Sequence[RunJob]) -> None:
        # As JSON: the task's process may run another build of the same rbench.
        self.settings = settings.model_copy(update={"wait": False}).model_dump_json()
        self.jobs = [job.model_dump_json() for job in jobs]
        self.local: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "local": None}

    def __call__(self) -> dict[str, int]:
        """Execute; how many events of each kind there were."""
        from rbench.sweep.executors.local import Local

        counts: dict[str, int] = {}

        def on_event(event: Event) -> None:
            counts[event.kind] = counts.get(event.kind, 0) + 1
            if event.kind in ("done", "failed", "retry", "elsewhere"):
                # Into the task's own log, which belongs to the cluster and not to the user.
                print(event.kind, event.slug, event.text, flush=True)

        jobs = [RunJob.model_validate_json(text) for text in self.jobs]
        self.local = Local(Settings.model_validate_json(self.settings))
        self.local.run(jobs, on_event)
        return counts


def split(settings: Settings, jobs: Sequence[RunJob]) -> list[list[RunJob]]:
    """The jobs of each task: all of them, in another rotation."""
    tasks = min(settings.jobs, len(jobs))
    starts = [i * len(jobs) // tasks for i in range(tasks)]
    return [[*jobs[start:], *jobs[:start]] for start in starts]


class FolderWatcher:
    """Turns what appears in the results folder into events."""

    def __init__(self, settings: Settings, jobs: Sequence[RunJob], on_event: OnEvent) -> None:
        self.store, self.on_event = Store(settings.output), on_event
        self.locks = RunLocks(self.store, settings.lease_seconds)
        self.locks.prepare()
        self.pending = {job.slug: job for job in jobs}
        self.before = {slug: self.store.version(slug) for slug in self.pending}
        self.started: dict[str, int] = {}

    def poll(self) -> None:
        """Report what is new."""
        for number, slug in enumerate(self.locks.owners()):
            if slug in self.pending and slug not in self.started:
                self.started[slug] = number
                self.on_event(Event("started", slug, number))
        for slug, job in list(self.pending.items()):
            # A failed run that is retried already has a record at the start.
            if self.store.version(slug) == self.before[slug]:
                continue
            if self.store.status(slug, job.digest) in ("done", "failed"):
                del self.pending[slug]
                self._ended(slug)

    def close(self, why: str) -> None:
        """Report the runs that have no record."""
        self.poll()
        for slug in self.pending:
            self.on_event(Event("stopped", slug, text=why))

    def _ended(self, slug: str) -> None:
        try:
            record = read(self.store.record(slug))
        except RecordError as error:
            self.on_event(Event("failed", slug, text=str(error)))
            return
        kind: Any = record.status
        text = failure(record) or metrics(record)
        self.on_event(Event(kind, slug, text=text, seconds=record.seconds))
