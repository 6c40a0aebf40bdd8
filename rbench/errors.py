"""What can go wrong on the user's side."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """The user's input was wrong. The message is one line: what, where, and what would be right.

    The command line prints it and exits with code 2; nothing has been written by then.
    """


class UnknownName(UserError):
    """A name that no component, option or file answers to.

    ``note`` is appended as it is: the catalog uses it to name the plugins that failed to load,
    since the wanted name may be one of theirs.
    """

    def __init__(self, what: str, name: str, known: Iterable[str], note: str = "") -> None:
        self.what, self.name = what, name
        super().__init__(f"unknown {what} '{printable(name)}'{suggest(name, known)}{note}")


def suggest(name: str, known: Iterable[str], at_most: int = 8) -> str:
    """Say which of ``known`` was probably meant, or list them where there are few."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    if not names:
        return "; there are none"
    shown = ", ".join(names[:at_most])
    return f"; there {'are' if len(names) > 1 else 'is'} {shown}" + (
        f" and {len(names) - at_most} more" if len(names) > at_most else ""
    )


def printable(text: object, limit: int = 200) -> str:
    """One line of ``text`` without control characters, cut at ``limit`` characters."""
    line = str(text)
    if not line.isprintable():
        line = "".join(c if c.isprintable() else "?" for c in line)
    return line if len(line) <= limit else line[: limit - 1] + "…"
