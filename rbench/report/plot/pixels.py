"""Figures that show pixels: grids of records' pictures, and matrices that records hold."""

from __future__ import annotations

import fnmatch
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from rbench.report.leaderboard.text import number
from rbench.report.plot.declaration import Figure
from rbench.report.plot.points import Item, panels, series, sort_key
from rbench.report.plot.style import WIDTHS, canvas, in_cell, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas
    from numpy.typing import NDArray

MOST = 400
"""Pictures in one figure; more would be illegible."""


def picture_file(folder: Path | None, name: str) -> Path | None:
    """The file of a record's picture, if it lies inside the record's folder and exists."""
    inside = PurePosixPath(name)
    if folder is None or inside.is_absolute() or ".." in inside.parts or "\\" in name:
        return None
    path = folder / inside
    return path if path.is_file() and path.resolve().is_relative_to(folder.resolve()) else None


def pictures(figure: Figure, chosen: Sequence[Item]) -> Canvas | None:
    """Rows by columns of pictures, one record each (``first`` of its pictures)."""
    cells: dict[tuple[Any, Any], list[Item]] = defaultdict(list)
    for item in chosen:
        row = item.get(figure.rows) if figure.rows else ""
        column = item.get(figure.columns) if figure.columns else ""
        if row is not None and column is not None and _files(figure, item):
            cells[row, column].append(item)
    if not cells:
        return None
    rows = sorted({r for r, _ in cells}, key=lambda v: sort_key(v, figure.order))
    columns = sorted({c for _, c in cells}, key=lambda v: sort_key(v, figure.xorder))
    shown = {key: _chosen(figure, members) for key, members in cells.items()}
    tiles = max(len(_files(figure, item)) for item in shown.values())
    if len(rows) * len(columns) * tiles > MOST:
        return None
    size = WIDTHS[figure.width] / (len(columns) * tiles)
    aspect = min(max(_aspect(shown.values(), figure), 0.2), 5.0)
    height = figure.height or len(rows) * (size * aspect + (0.16 if figure.caption else 0.04)) + 0.4
    picture, axes = canvas(figure.width, height, len(rows), len(columns) * tiles)
    for axis in axes:
        axis.set_axis_off()
    for r, row in enumerate(rows):
        for c, column in enumerate(columns):
            tile = shown.get((row, column))
            first = axes[(r * len(columns) + c) * tiles]
            if c == 0 and row != "":
                first.text(
                    -0.06,
                    0.5,
                    words(figure.titled(str(figure.rows), row), 30),
                    rotation=90,
                    fontsize=7,
                    transform=first.transAxes,
                    ha="right",
                    va="center",
                )
            if r == 0 and column != "":
                first.set_title(
                    words(figure.titled(str(figure.columns), column), 30), fontsize=7, pad=2
                )
            if tile is None:
                continue
            for t, path in enumerate(_files(figure, tile)):
                axis = axes[(r * len(columns) + c) * tiles + t]
                image = _open(path)
                if image is not None:
                    axis.imshow(image, interpolation="nearest", cmap="gray")
            if figure.caption:
                first.text(
                    0.5,
                    -0.03,
                    _caption(figure, tile),
                    fontsize=6,
                    ha="center",
                    va="top",
                    transform=first.transAxes,
                )
    return picture


def matrices(figure: Figure, chosen: Sequence[Item]) -> Canvas | None:
    """One picture a series and panel of a list of lists, averaged over seeds."""
    import numpy as np

    found: list[tuple[str, NDArray[np.float64]]] = []
    for value, members in panels(figure, chosen):
        for label, group in series(figure, members):
            grids = [g for item in group if (g := _matrix(item.get(str(figure.value)))) is not None]
            grids = [g for g in grids if g.shape == grids[0].shape]
            if grids:
                name = ", ".join(
                    p for p in ("" if value is None else figure.word(value), label) if p
                )
                found.append((name, np.mean(grids, axis=0)))
    if not found:
        return None
    across = min(len(found), 3 if figure.width == "column" else 6)
    down = -(-len(found) // across)
    height = figure.height or down * (WIDTHS[figure.width] / across) + 0.3
    picture, axes = canvas(figure.width, height, down, across)
    low = min(float(np.nanmin(grid)) for _, grid in found)
    high = max(float(np.nanmax(grid)) for _, grid in found)
    image = None
    for axis, (name, grid) in zip(axes, found, strict=False):
        image = axis.imshow(grid, cmap="viridis", vmin=low, vmax=high)
        axis.set_title(words(name, 40), fontsize=7)
        axis.set_xticks([])
        axis.set_yticks([])
        if grid.size <= 121:
            middle = (low + high) / 2
            for (y, x), v in np.ndenumerate(grid):
                in_cell(axis, x, y, f"{v:.2f}", 5, bool(v < middle))
    for axis in axes[len(found) :]:
        axis.set_visible(False)
    assert image is not None
    picture.colorbar(image, ax=axes, shrink=0.8, label=words(figure.ylabel or ""))
    return picture


def _matrix(content: Any) -> Any:
    import numpy as np

    try:
        grid = np.asarray(content, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if grid.ndim == 1 and grid.size and math.isqrt(grid.size) ** 2 == grid.size:
        grid = grid.reshape(math.isqrt(grid.size), -1)
    return grid if grid.ndim == 2 and grid.size and np.isfinite(grid).any() else None


def _files(figure: Figure, item: Item) -> list[Path]:
    found = []
    for artifact in item.record.artifacts:
        if fnmatch.fnmatchcase(artifact.file, figure.picture) or fnmatch.fnmatchcase(
            artifact.caption, figure.picture
        ):
            path = picture_file(item.folder, artifact.file)
            if path is not None:
                found.append(path)
    return found[: figure.first]


def _chosen(figure: Figure, members: list[Item]) -> Item:
    if figure.nearest is None:
        return min(members, key=lambda item: item.record.seed)
    column = figure.nearest
    able = [item for item in members if isinstance(item.get(column), int | float)]
    if not able:
        return members[0]
    mean = math.fsum(float(item.get(column)) for item in able) / len(able)
    return min(able, key=lambda item: (abs(float(item.get(column)) - mean), item.record.seed))


def _caption(figure: Figure, item: Item) -> str:
    value = item.get(str(figure.caption))
    if isinstance(value, int | float):
        return number(float(value), 3 if abs(value) < 10 else 1)
    return "" if value is None else words(str(value), 30)


def _aspect(members: Iterable[Item], figure: Figure) -> float:
    """Height over width of the first picture that can be read."""
    for item in members:
        for path in _files(figure, item):
            if (image := _open(path)) is not None:
                return float(image.shape[0] / image.shape[1])
    return 1.0


def _open(path: Path) -> Any:
    import numpy as np
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
