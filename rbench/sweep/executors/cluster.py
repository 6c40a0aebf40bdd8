"""What Slurm and Ray have in common: shares of a sweep, and a folder that says how they fare.

Every job is given all tickets, each beginning at another place; claims see to it that each cell
is run once. So a slow job holds nobody up, and the cells of a lost one are taken by the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rbench.errors import UserError
from rbench.records.record import RecordError, read
from rbench.records.status import stamp, status
from rbench.sweep.executors.base import Event, Report, Settings
from rbench.sweep.job import Ticket
from rbench.sweep.locks import Claims

POLL_SECONDS = 1.0


class Share:
    """A job: runs what is missing of the tickets by the local executor. It can be pickled."""

    def __init__(self, settings: Settings, tickets: Sequence[Ticket]) -> None:
        # As JSON: the job's process may be another build of the same rbench.
        self.settings = settings.model_copy(update={"wait": False}).model_dump_json()
        self.tickets = [ticket.model_dump_json() for ticket in tickets]
        self.local: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "local": None}

    def __call__(self) -> dict[str, int]:
        """Run; the counts of what became of the cells here."""
        from rbench.sweep.executors.local import Local

        counts: dict[str, int] = {}

        def report(event: Event) -> None:
            counts[event.kind] = counts.get(event.kind, 0) + 1
            if event.kind in ("done", "failed", "retry", "elsewhere"):
                print(event.kind, event.slug, event.text, flush=True)

        tickets = [Ticket.model_validate_json(text) for text in self.tickets]
        self.local = Local(Settings.model_validate_json(self.settings))
        self.local.run(tickets, report)
        return counts


def split(settings: Settings, tickets: Sequence[Ticket]) -> list[list[Ticket]]:
    """The tickets of each job."""
    jobs = min(settings.jobs, len(tickets))
    begins = [i * len(tickets) // jobs for i in range(jobs)]
    return [[*tickets[begin:], *tickets[:begin]] for begin in begins]


class Follower:
    """Turns what appears in the folder into events."""

    def __init__(self, settings: Settings, tickets: Sequence[Ticket], report: Report) -> None:
        self.output, self.report = settings.output, report
        self.claims = Claims(settings.output, settings.patience)
        try:
            self.claims.prepare()
        except OSError as error:
            raise UserError(f"cannot write to --output {self.output}: {error.strerror}") from error
        self.pending = {ticket.slug: ticket for ticket in tickets}
        self.before = {slug: stamp(self._path(slug)) for slug in self.pending}
        self.started: dict[str, int] = {}

    def look(self) -> None:
        """Report what is new."""
        for number, slug in enumerate(self.claims.running()):
            if slug in self.pending and slug not in self.started:
                self.started[slug] = number
                self.report(Event("started", slug, number))
        for slug, ticket in list(self.pending.items()):
            path = self._path(slug)
            # A failed cell that is retried has a record to begin with.
            if stamp(path) == self.before[slug]:
                continue
            ended = status(path, ticket.digest)
            if ended in ("done", "failed"):
                del self.pending[slug]
                self._ended(path, slug)

    def close(self, why: str) -> None:
        """Report the cells that came to nothing."""
        self.look()
        for slug in self.pending:
            self.report(Event("stopped", slug, text=why))

    def _ended(self, path: Path, slug: str) -> None:
        try:
            record = read(path)
        except RecordError as error:
            self.report(Event("failed", slug, text=str(error)))
            return
        text = f"{record.error.kind}: {record.error.message}" if record.error else ""
        kind: Any = record.status
        self.report(Event(kind, slug, text=text, seconds=record.seconds))

    def _path(self, slug: str) -> Path:
        return self.output / f"{slug}.json"
