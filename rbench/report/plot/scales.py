"""How axes are scaled, named and ticked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from rbench.report.plot.declaration import Figure
from rbench.report.plot.points import Item
from rbench.report.plot.style import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONG = 1e5
"""Numbers on a linear axis that reaches so far are written as 100k."""
_MANY = 100
"""From this ratio of an axis's ends on, its decades are numbers enough."""


def scale(figure: Figure, axes: Axes, members: Sequence[Item]) -> None:
    """Set scales and limits as declared, and name both axes."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for axis, scale in (("x", figure.xscale), ("y", figure.yscale)):
        written = getattr(axes, f"{axis}axis")
        if scale == "linear":
            if max(map(abs, written.get_view_interval())) >= _LONG:
                written.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
        else:
            getattr(axes, f"set_{axis}scale")("log", base=2 if scale == "log2" else 10)
            # matplotlib writes powers as TeX, which the style does not read.
            major = _short if scale == "log" else "{:g}".format
            written.set_major_formatter(FuncFormatter(lambda value, _, text=major: text(value)))
            minor = FuncFormatter(partial(_minor, written)) if scale == "log" else NullFormatter()
            written.set_minor_formatter(minor)
    if figure.xlim:
        axes.set_xlim(*figure.xlim)
    if figure.ylim:
        axes.set_ylim(*figure.ylim)
    name_axes(figure, axes, members)


def _short(value: float) -> str:
    """``100k`` and ``20M`` for large numbers, so that they stand beside each other."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= max(size, 1e4):
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _minor(axis: Any, value: float, position: int) -> str:
    """Between decades 2 and 5 are written on a short axis, which may have no other numbers."""
    low, high = sorted(map(float, axis.get_view_interval()))
    if low <= 0 or high / low > _MANY:
        return ""
    digits = f"{value:e}"
    return _short(value) if digits[0] in "25" and float(digits.partition("e")[0]) % 1 == 0 else ""


def name_axes(figure: Figure, axes: Axes, members: Sequence[Item]) -> None:
    """Write what is declared, or else the columns' names with their units."""
    y = next(iter(figure.ys), "")
    xlabel = figure.xlabel if figure.xlabel is not None else title_of(figure.x or "", members)
    ylabel = figure.ylabel if figure.ylabel is not None else title_of(y, members)
    axes.set_xlabel(words(xlabel))
    axes.set_ylabel(words(ylabel))


def title_of(column: str, members: Sequence[Item]) -> str:
    """A column's name in words, with the unit of the metric that it is."""
    for item in members:
        for metric in item.record.metrics:
            if metric.name == column.removeprefix("metric.") and metric.unit:
                return f"{metric.name} ({metric.unit})"
    return last_part(column).replace("_", " ")


def last_part(column: str) -> str:
    """``expansion`` of ``model.expansion``."""
    return column.rpartition(".")[2]


def ticks(axes: Axes, texts: Sequence[str]) -> None:
    """One tick for each of some texts, turned where they would touch."""
    texts = [words(text, 24) for text in texts]
    crowded = sum(map(len, texts)) > 36
    axes.set_xticks(
        range(len(texts)),
        texts,
        rotation=35 if crowded else 0,
        ha="right" if crowded else "center",
        rotation_mode="anchor",
    )
