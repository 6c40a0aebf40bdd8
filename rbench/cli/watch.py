"""What a sweep shows: all active runs on a terminal, and a line for each run that has ended."""

from __future__ import annotations

import sys
from time import monotonic
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from rbench.errors import printable
from rbench.sweep.executors.base import Event

QUIET_SECONDS = 30.0
"""Off a terminal, seconds between two lines about the progress of one run."""


class Watch:
    """Receives an executor's events; use it as a context manager."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.ended: dict[str, Event] = {}
        self.running: dict[str, Event] = {}
        self.since: dict[str, float] = {}
        self.said: dict[str, float] = {}
        self.elsewhere: dict[str, str] = {}
        self.noted: set[str] = set()
        self.begun = monotonic()
        self.first_start: float | None = None
        self.console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self.live: Live | None = None
        if sys.stderr.isatty():
            self.live = Live(console=self.console, refresh_per_second=4, transient=True)
            self.live.get_renderable = self._view  # type: ignore[method-assign]

    def __enter__(self) -> Watch:
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live is not None:
            self.live.stop()

    def failed(self) -> list[Event]:
        """The runs that failed, in the order in which they did."""
        return [event for event in self.ended.values() if event.kind == "failed"]

    def count(self, kind: str) -> int:
        """How many runs ended that way."""
        return sum(event.kind == kind for event in self.ended.values())

    def elapsed(self) -> str:
        """The time since the sweep started."""
        return duration(monotonic() - self.begun)

    def time_left(self) -> str:
        """An estimate by the runs that have ended so far, such as ``about 12 min left``."""
        ended = sum(bool(event.seconds) for event in self.ended.values())
        left = self.total - len(self.ended)
        if not ended or not left or self.first_start is None:
            return ""
        # Runs at the same time count, since it is the time between two ends that is measured.
        seconds = (monotonic() - self.first_start) / ended * left
        return f"about {duration(seconds)} left"

    def __call__(self, event: Event) -> None:
        """See :data:`rbench.sweep.executors.base.OnEvent`."""
        slug, now = event.slug, monotonic()
        if event.kind == "started":
            self.first_start = now if self.first_start is None else self.first_start
            self.running[slug], self.since[slug], self.said[slug] = event, now, now
            self.elsewhere.pop(slug, None)
        elif event.kind == "progress":
            self.running[slug] = event
            self.since.setdefault(slug, now)
            if self.live is None and now - self.said.get(slug, 0.0) > QUIET_SECONDS:
                self.said[slug] = now
                self.say(f"{slug}: {event.text} {event.done}/{event.total}")
        elif event.kind == "note":
            # The runs of a suite have much the same notes; records keep them all.
            if event.text not in self.noted:
                self.noted.add(event.text)
                self.say(f"note: {slug}: {event.text}")
        elif event.kind == "retry":
            self.running.pop(slug, None)
            self.say(f"again: {slug}: {event.text}")
        elif event.kind == "elsewhere":
            self.running.pop(slug, None)
            if self.elsewhere.get(slug) != event.text:
                self.elsewhere[slug] = event.text
                self.say(f"elsewhere: {slug}: {event.text}")
        else:
            self.running.pop(slug, None)
            self.ended[slug] = event
            if event.kind == "stopped":
                # All of them may have been stopped by one cause.
                if event.text and event.text not in self.noted:
                    self.noted.add(event.text)
                    self.say(f"not executed: {slug}: {event.text}")
            else:
                self._say_ended(event)

    def say(self, line: str) -> None:
        """Print a line of its own, above the table of active runs."""
        self.console.print(printable(line, 500))

    def _say_ended(self, event: Event) -> None:
        seconds = f" ({duration(event.seconds)})" if event.seconds else ""
        text = f": {event.text}" if event.text else ""
        number = f"{len(self.ended)}/{self.total}"
        left = self.time_left()
        more = f"; {left}" if left and self.live is None else ""
        self.say(f"{number} {event.kind} {event.slug}{seconds}{text}{more}")

    def _view(self) -> Table:
        now = monotonic()
        table = Table(box=None, pad_edge=False, show_header=False)
        for _ in range(4):
            table.add_column(overflow="ellipsis", no_wrap=True)
        failed = f", {self.count('failed')} failed" if self.failed() else ""
        ended = f"{len(self.ended)}/{self.total} runs{failed}"
        table.add_row(ended, self.time_left(), "", self.elapsed())
        for slug, event in sorted(self.running.items(), key=lambda item: item[1].slot):
            share = f"{event.done}/{event.total}" if event.total else ""
            table.add_row(slug, event.text, share, duration(now - self.since[slug]))
        return table


def duration(seconds: float) -> str:
    """A time span in its natural unit: ``3.2 s``, ``12 min``, ``4.5 h``."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def plural(count: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


__all__ = ["Watch", "duration", "plural"]
