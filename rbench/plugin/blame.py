"""Which component an error came from, and the file and line of its code."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rbench.errors import printable
from rbench.plugin.components import Component
from rbench.plugin.source import sources
from rbench.records.record import Failure

COMPONENT, PLACE = "rbench_component", "rbench_place"
"""Attributes that an exception gets on its way up."""


@contextmanager
def blamed_on(component: Component) -> Iterator[None]:
    """Mark whatever is raised inside as coming from ``component``, unless it is marked."""
    try:
        yield
    except Exception as error:
        if not hasattr(error, COMPONENT):
            setattr(error, COMPONENT, f"{component.kind} {component.name}")
            setattr(error, PLACE, place(error, component))
        raise


def failure_of(error: Exception) -> Failure:
    """What a record keeps of ``error``."""
    return Failure(
        kind=type(error).__name__,
        message=printable(" ".join(str(error).split()), 500),
        component=getattr(error, COMPONENT, ""),
        place=getattr(error, PLACE, ""),
        traceback="".join(traceback.format_exception(error)),
    )


def place(error: Exception, component: Component) -> str:
    """``file.py:31``: the last line of the component's own package that was running.

    Where the error was raised before any of it ran, the line where it was raised.
    """
    folders = {source.file.parent for source in sources(component) if source.file is not None}
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).parent in folders]
    frame = (own or frames)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"
