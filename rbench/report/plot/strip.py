"""Every seed's value beside the mean of its series: what bars from zero would hide."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rbench.report.plot.declaration import Figure
from rbench.report.plot.marks import lines_of
from rbench.report.plot.points import Item
from rbench.report.plot.style import color, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ASIDE = 0.13
"""Seeds lie so far to the left of a series' place, its mean to the right."""
_LETTERS = 17
"""Letters of a tick's label in an inch."""


def draw_strip(
    figure: Figure, axes: Axes, members: Sequence[Item], everything: Sequence[Item]
) -> bool:
    """A place for each series: its seeds hollow, its mean filled with its error bar."""
    lines = lines_of(figure, members, everything)
    for place, line in enumerate(lines):
        (point,) = line.points
        axes.errorbar(
            [place + _ASIDE],
            [point.centre],
            [point.error] if point.error else None,
            color=color(place),
            marker="o",
            markersize=4.5,
        )
        values = list(point.values.values())
        left = [place - _ASIDE] * len(values)
        axes.plot(left, values, "o", color=color(place), markerfacecolor="none")
    assert axes.figure is not None
    inches = axes.bbox.width / axes.figure.dpi
    room = max(8, int(_LETTERS * inches / max(len(lines), 1)))
    texts = ["\n".join(textwrap.wrap(words(line.label), room)) for line in lines]
    axes.set_xticks(range(len(lines)), texts)
    axes.set_xlim(-0.5, len(lines) - 0.5)
    axes.grid(False, axis="x")
    return bool(lines)
