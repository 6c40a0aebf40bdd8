"""Plain tables for a terminal or a pipe: columns side by side, nothing cut off."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


def table(
    heading: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[int] = ()
) -> list[str]:
    """Lines of ``heading`` and ``rows`` in columns; those in ``right`` are flush right."""
    cells = [list(heading), *map(list, rows)]
    if not any(heading):
        del cells[0]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
