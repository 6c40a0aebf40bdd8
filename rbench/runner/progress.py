"""Progress: a live bar on a terminal and in notebooks, a line now and then elsewhere."""

from __future__ import annotations

import sys
from html import escape
from importlib import import_module
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rbench.errors import printable

if TYPE_CHECKING:
    from rich.progress import TaskID


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


def watched() -> bool:
    """Whether somebody sees a bar as it moves: on a terminal or in a notebook."""
    return in_notebook() or sys.stderr.isatty()


class Reporter:
    """The progress of one process; use it as a context manager and call it."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.notebook = NotebookBar() if not quiet and in_notebook() else None
        self.live = not quiet and self.notebook is None and sys.stderr.isatty()
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
        if self.notebook is not None:
            self.notebook.close()

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
        if self.notebook is not None:
            self.notebook.show(f"{self.prefix} {phase}".strip(), done, total, text)
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


class NotebookBar:
    """One bar in a notebook's output, as HTML: it needs no widgets."""

    SECONDS = 0.2
    """Least time between two updates."""

    def __init__(self) -> None:
        self.handle: Any = None
        self.shown = 0.0

    def show(self, phase: str, done: int, total: int, text: str) -> None:
        """Draw the bar, at most five times a second."""
        now = monotonic()
        if done < total and now - self.shown < self.SECONDS:
            return
        self.shown = now
        self._draw(
            f"<progress value='{done}' max='{total}'></progress> "
            f"{escape(phase)} {done}/{total} {escape(text)}"
        )

    def close(self) -> None:
        """Take the bar away."""
        if self.handle is not None:
            self._draw("")

    def _draw(self, html: str) -> None:
        # Loaded already, since this is a notebook; otherwise rbench does not need it.
        notebook = import_module("IPython.display")
        if self.handle is None:
            self.handle = notebook.display(notebook.HTML(html), display_id=True)
        else:
            self.handle.update(notebook.HTML(html))
