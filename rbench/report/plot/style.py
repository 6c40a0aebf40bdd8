"""How figures look: light, at paper size, readable in grey and by the color-blind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rbench.errors import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

WIDTHS = {"column": 3.5, "page": 7.2}
"""Inches: one column (89 mm) and a page (183 mm)."""
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", ":", "-.")
_STYLE: Any = {
    "font.size": 8,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "errorbar.capsize": 2,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.usetex": False,
    "text.parse_math": False,
    "svg.hashsalt": "rbench",
    "svg.fonttype": "path",
    "axes.formatter.useoffset": False,
}


@contextmanager
def paper() -> Iterator[None]:
    """matplotlib without a display, in this style; the caller's settings come back after."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def canvas(width: str, height: float, rows: int = 1, columns: int = 1) -> tuple[Canvas, list[Axes]]:
    """A figure of paper width and its axes, row by row; nothing global is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(WIDTHS[width], height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.ravel())


def color(place: int) -> str:
    """The color of a series."""
    return COLORS[place % len(COLORS)]


def marker(place: int) -> str:
    """The marker of a series."""
    return MARKERS[(place + place // len(COLORS)) % len(MARKERS)]


def in_cell(axes: Axes, x: float, y: float, text: str, size: int, dark: bool) -> None:
    """Write a number into a cell of a heat map, light on dark."""
    shade = "white" if dark else "black"
    axes.text(x, y, text, ha="center", va="center", fontsize=size, color=shade)


def words(text: str, limit: int = 80) -> str:
    """Text that matplotlib draws as it is."""
    return printable(text, limit)
