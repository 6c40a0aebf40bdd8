"""Progress on standard error: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING

from rbench.errors import printable

if TYPE_CHECKING:
    from rich.progress import TaskID


class Reporter:
    """The progress of one process; use it as a context manager and call it."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.live = not quiet and sys.stderr.isatty()
        self.bars: dict[str, TaskID] = {}
        self.said = 0.0
        self.prefix = ""
        if self.live:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bars

            self.view = Bars(
                TextColumn("{task.description:<28}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[text]}"),
                console=Console(stderr=True),
                transient=True,
            )

    def __enter__(self) -> Reporter:
        if self.live:
            self.view.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self.view.stop()

    def start(self, prefix: str) -> None:
        """Begin another run; ``prefix`` names it in every line."""
        self.prefix, self.said = prefix, 0.0
        if self.live:
            for bar in self.bars.values():
                self.view.remove_task(bar)
        self.bars = {}

    def say(self, text: str) -> None:
        """A note, on a line of its own."""
        if self.quiet:
            return
        line = f"note: {printable(text, 500)}"
        if self.live:
            self.view.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)

    def __call__(self, phase: str, done: int, total: int, text: str = "") -> None:
        """See :class:`rbench.plugin.contexts.Progress`."""
        if self.quiet:
            return
        if self.live:
            if phase not in self.bars:
                self.bars[phase] = self.view.add_task(
                    f"{self.prefix} {phase}".strip(), total=total, text=""
                )
            self.view.update(self.bars[phase], completed=done, total=total)
            if text:
                self.view.update(self.bars[phase], text=text)
            return
        now = monotonic()
        if text or done == total or now - self.said > 10:
            self.said = now
            line = f"{self.prefix} {phase} {done}/{total} {text}".strip()
            print(line, file=sys.stderr, flush=True)
