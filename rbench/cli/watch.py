"""What a sweep shows: all running cells on a terminal, a line for each that ended elsewhere."""

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
"""Off a terminal, seconds between two lines on one running cell."""


class Watch:
    """Takes an executor's events; use it as a context manager."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.ended: dict[str, Event] = {}
        self.running: dict[str, Event] = {}
        self.since: dict[str, float] = {}
        self.said: dict[str, float] = {}
        self.elsewhere: dict[str, str] = {}
        self.noted: set[str] = set()
        self.begun = monotonic()
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
        """The cells that failed, in the order in which they did."""
        return [event for event in self.ended.values() if event.kind == "failed"]

    def count(self, kind: str) -> int:
        """How many cells ended so."""
        return sum(event.kind == kind for event in self.ended.values())

    def __call__(self, event: Event) -> None:
        """See :data:`rbench.sweep.executors.base.OnEvent`."""
        slug, now = event.slug, monotonic()
        if event.kind == "started":
            self.running[slug], self.since[slug], self.said[slug] = event, now, now
            self.elsewhere.pop(slug, None)
        elif event.kind == "progress":
            self.running[slug] = event
            self.since.setdefault(slug, now)
            if self.live is None and now - self.said.get(slug, 0.0) > QUIET_SECONDS:
                self.said[slug] = now
                self._say(f"{slug}: {event.text} {event.done}/{event.total}")
        elif event.kind == "note":
            # Cells of one suite say much the same; once is enough, the records keep it all.
            if event.text not in self.noted:
                self.noted.add(event.text)
                self._say(f"note: {slug}: {event.text}")
        elif event.kind == "retry":
            self.running.pop(slug, None)
            self._say(f"again: {slug}: {event.text}")
        elif event.kind == "elsewhere":
            self.running.pop(slug, None)
            if self.elsewhere.get(slug) != event.text:
                self.elsewhere[slug] = event.text
                self._say(f"elsewhere: {slug}: {event.text}")
        else:
            self.running.pop(slug, None)
            self.ended[slug] = event
            if event.kind == "stopped":
                # One cause may have stopped them all.
                if event.text and event.text not in self.noted:
                    self.noted.add(event.text)
                    self._say(f"not run: {slug}: {event.text}")
            else:
                seconds = f" ({event.seconds:.1f} s)" if event.seconds else ""
                text = f": {event.text}" if event.text else ""
                number = f"{len(self.ended)}/{self.total}"
                self._say(f"{number} {event.kind} {slug}{seconds}{text}")

    def _say(self, line: str) -> None:
        self.console.print(printable(line, 500))

    def _view(self) -> Table:
        now = monotonic()
        table = Table(box=None, pad_edge=False, show_header=False)
        for _ in range(4):
            table.add_column(overflow="ellipsis", no_wrap=True)
        ended = self.count("done") + self.count("failed")
        failed = f", {self.count('failed')} failed" if self.failed() else ""
        table.add_row(f"{ended}/{self.total} cells{failed}", "", "", f"{now - self.begun:.0f} s")
        for slug, event in sorted(self.running.items(), key=lambda item: item[1].slot):
            share = f"{event.done}/{event.total}" if event.total else ""
            table.add_row(slug, event.text, share, f"{now - self.since[slug]:.0f} s")
        return table
