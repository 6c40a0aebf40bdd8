"""A declared figure and its records -> the bytes of a picture."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from rbench.errors import UserError
from rbench.report.plot import axes as plain
from rbench.report.plot import pixels
from rbench.report.plot.declaration import Figure
from rbench.report.plot.findings import findings
from rbench.report.plot.marks import best_at_edges
from rbench.report.plot.points import Item, panels, selected
from rbench.report.plot.style import canvas, paper, words

if TYPE_CHECKING:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

PIXELS = ("matrix", "pictures")
FORMATS: dict[str, dict[str, Any]] = {
    # Without dates and versions, so that the same records give the same bytes.
    "svg": {"metadata": {"Date": None}},
    "png": {"metadata": {"Software": None}},
    # Without loss: half the size of a PNG where a figure is full of photographs.
    "webp": {"pil_kwargs": {"lossless": True, "method": 6}},
    "pdf": {"metadata": {"CreationDate": None}},
}


@dataclass
class Drawn:
    """A figure as a file; ``content`` is None where no record fits it."""

    figure: Figure
    extension: str = "svg"
    content: bytes | None = None
    records: int = 0
    notes: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The file's name."""
        return f"{self.figure.name}.{self.extension}"


def draw(
    figure: Figure,
    found: Sequence[Item],
    extension: str | None = None,
    reported: Callable[[str], tuple[float, float | None]] | None = None,
) -> Drawn:
    """Draw ``figure`` from ``found``; ``extension`` is svg, png, webp or pdf.

    ``reported`` answers ``paper:id`` with a value and its error. Same records, same bytes.
    """
    extension = extension or ("webp" if figure.kind in PIXELS else "svg")
    if extension not in FORMATS:
        raise UserError(f"a figure is written as {', '.join(FORMATS)}, not as {extension}")
    chosen, notes = selected(figure, found)
    drawn = Drawn(figure, extension, None, len(chosen), notes)
    with paper():
        if figure.kind == "pictures":
            picture = pixels.pictures(figure, chosen)
        elif figure.kind == "matrix":
            picture = pixels.matrices(figure, chosen)
        else:
            picture = _panels(figure, chosen, found, reported)
        if picture is not None:
            if figure.title:
                picture.suptitle(words(figure.title, 200), fontsize=8)
            drawn.content = _bytes(picture, extension)
            drawn.notes += _too_long(picture)
            drawn.findings = findings(figure, chosen, found)
    if figure.best and picture is not None:
        drawn.notes += best_at_edges(figure, chosen)
    if picture is None:
        drawn.notes.append("no record fits it")
    return drawn


def _panels(
    figure: Figure,
    chosen: list[Item],
    found: Sequence[Item],
    reported: Callable[[str], tuple[float, float | None]] | None,
) -> Canvas | None:
    parts = panels(figure, chosen)
    if not any(members for _, members in parts):
        return None
    across = 1 if len(parts) == 1 else 2 if figure.width == "column" else min(len(parts), 4)
    down = -(-len(parts) // across)
    height = figure.height or (2.4 if down == 1 else 1.9 * down + 0.4)
    picture, all_axes = canvas(figure.width, height, down, across)
    anything = False
    for axes, (value, members) in zip(all_axes, parts, strict=False):
        if value is not None:
            axes.set_title(words(figure.titled(str(figure.panel), value)))
        anything = plain.fill(figure, axes, members, found, reported) or anything
    for axes in all_axes[len(parts) :]:
        axes.set_visible(False)
    if anything:
        plain.legend(figure, picture, all_axes[: len(parts)])
    return picture if anything else None


def _too_long(picture: Canvas) -> list[str]:
    """A sentence for each name of an axis for which a drawn figure has no room."""
    found = []
    renderer = cast("FigureCanvasAgg", picture.canvas).get_renderer()
    for axes in picture.axes:
        for label, place, side in ((axes.xaxis.label, 0, "width"), (axes.yaxis.label, 1, "height")):
            box = label.get_window_extent(renderer)
            half = (box.width, box.height)[place] / 2
            middle = (axes.bbox.min[place] + axes.bbox.max[place]) / 2
            if middle - half < 0 or middle + half > picture.bbox.max[place]:
                found.append(f"the figure's {side} has no room for '{label.get_text()}'")
    return list(dict.fromkeys(found))


def _bytes(picture: Canvas, extension: str) -> bytes:
    buffer = io.BytesIO()
    picture.savefig(buffer, format=extension, **FORMATS[extension])
    return buffer.getvalue()
