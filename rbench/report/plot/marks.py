"""Curves and bars on one pair of axes, a line for each series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rbench.report.plot.declaration import Figure
from rbench.report.plot.points import Item, Point, points, series, sort_key
from rbench.report.plot.scales import ticks
from rbench.report.plot.style import DASHES, color, marker, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_marks(
    figure: Figure, axes: Axes, members: Sequence[Item], everything: Sequence[Item]
) -> bool:
    """Draw every series with its error bars; False where nothing fits."""
    lines = lines_of(figure, members, everything)
    if not lines:
        return False
    xs = {p.x for line in lines for p in line.points} | {x for r in figure.reported for x in r.x}
    texts = [x for x in xs if not isinstance(x, int | float)]
    places: dict[Any, Any] = {x: x for x in xs}
    if figure.kind == "bars" or texts:
        places = {x: i for i, x in enumerate(sorted(xs, key=lambda x: sort_key(x, figure.xorder)))}
        ticks(axes, [figure.word(x) for x in places])
    bars = 0.8 / len(lines)
    lower = figure.best and lower_is_better(figure, members)
    for place, line in enumerate(lines):
        x = [places[p.x] for p in line.points]
        y, error = [p.centre for p in line.points], [p.error for p in line.points]
        text = line.label
        if figure.best:
            best, edge = best_point(line.points, list(xs), lower)
            text = f"{text}, best at the edge".removeprefix(", ") if edge else text
            axes.plot(
                *(places[best.x], best.centre, "o"),
                markersize=9,
                markerfacecolor="none",
                color=color(line.hue),
            )
        name = words(text) or None
        if figure.kind == "bars":
            shifted = [v + bars * (place + 0.5) - 0.4 for v in x]
            bar_error = error if any(error) else None
            axes.bar(
                shifted,
                y,
                bars * 0.94,
                yerr=bar_error,
                color=color(place),
                label=name,
                error_kw={"elinewidth": 0.8, "ecolor": "#333333"},
            )
        else:
            axes.errorbar(
                x,
                y,
                error if any(error) else None,
                color=color(line.hue),
                label=name,
                marker=marker(line.hue),
                linestyle=DASHES[line.dash % len(DASHES)],
                elinewidth=0.8,
            )
    if figure.panel is not None:
        _write_slopes(axes, lines)
    if figure.slope is not None and not texts:
        _slope(axes, lines[0].points, figure.slope)
    for place, points_of in enumerate(figure.reported):
        x = [places[value] for value in points_of.x]
        axes.errorbar(
            x,
            points_of.y,
            points_of.error,
            label=words(points_of.label),
            linestyle="",
            marker=marker(place),
            markerfacecolor="none",
            markersize=6,
            zorder=3,
            color="#444444",
            elinewidth=0.8,
        )
    return True


def lower_is_better(figure: Figure, members: Sequence[Item]) -> bool:
    """Whether a lower y is better, as the metric that it is says."""
    return any(
        metric.higher_is_better is False
        for item in members
        for metric in item.record.metrics
        if metric.name in figure.ys
    )


def best_point(line: Sequence[Point], xs: Sequence[Any], lower: bool) -> tuple[Point, bool]:
    """The best point, of equal ones the first, and whether its x is an end of ``xs``."""
    best = min(line, key=lambda point: point.centre if lower else -point.centre)
    return best, best.x in (min(xs), max(xs))


def best_at_edges(figure: Figure, members: Sequence[Item]) -> list[str]:
    """A warning for each series whose best point lies at an end of the values of x."""
    lines = lines_of(figure, members, members)
    xs = [p.x for line in lines for p in line.points]
    lower = lower_is_better(figure, members)
    return [
        f"warning: {line.label or figure.y}: best at {best.x:g}, an end of what was tried"
        for line in lines
        for best, edge in [best_point(line.points, xs, lower)]
        if edge
    ]


def _write_slopes(axes: Axes, lines: Sequence[Line]) -> None:
    """The fitted slopes in a row: the legend is common to all panels, a slope is not."""
    fitted = [(line.slope, line.hue) for line in lines if line.slope is not None]
    if not fitted:
        return
    low = sum(slope for slope, _ in fitted) < 0
    place: dict[str, Any] = {
        "transform": axes.transAxes,
        "fontsize": 5.5,
        "va": "bottom" if low else "top",
    }
    axes.text(0.03, 0.03 if low else 0.97, "slope", **place)
    for column, (slope, hue) in enumerate(fitted):
        x = 0.21 + 0.19 * column
        axes.text(x, 0.03 if low else 0.97, f"{slope:.2f}", color=color(hue), **place)


@dataclass(frozen=True)
class Line:
    """A series: its points, its place among colors and dashes, its fitted slope."""

    label: str
    points: list[Point]
    hue: int
    dash: int = 0
    slope: float | None = None


def lines_of(figure: Figure, members: Sequence[Item], everything: Sequence[Item]) -> list[Line]:
    """A line for each series and each y. Several y: a dash each, or a color for want of series."""
    groups, found = series(figure, members), list[Line]()
    for place, (label, chosen) in enumerate(groups):
        for column, y in enumerate(figure.ys):
            line = points(figure.model_copy(update={"y": y}), chosen, everything)
            if not line:
                continue
            parts = [label] if label else []
            if len(figure.ys) > 1:
                parts.append(figure.word(y))
            slope = _fitted(line) if figure.fit else None
            if slope is not None and figure.panel is None:
                parts.append(f"slope {slope:.3f}")
            several = len(groups) > 1
            hue, dash = (place, column) if several else (column, 0)
            found.append(Line(", ".join(parts), line, hue, dash, slope))
    return found


def _fitted(line: Sequence[Point]) -> float | None:
    """The least-squares slope of log y on log x; None for fewer than two positive points."""
    logs = [
        (math.log(p.x), math.log(p.centre))
        for p in line
        if isinstance(p.x, int | float) and p.x > 0 and p.centre > 0
    ]
    if len({x for x, _ in logs}) < 2:
        return None
    x, y = (math.fsum(pair[i] for pair in logs) / len(logs) for i in (0, 1))
    return math.fsum((a - x) * (b - y) for a, b in logs) / math.fsum((a - x) ** 2 for a, _ in logs)


def _slope(axes: Axes, line: list[Point], slope: float) -> None:
    numbers = [p for p in line if p.x > 0 and p.centre > 0]
    if len(numbers) < 2:
        return
    middle = numbers[len(numbers) // 2]
    xs = [numbers[0].x, numbers[-1].x]
    ys = [middle.centre * (x / middle.x) ** slope for x in xs]
    axes.plot(xs, ys, color="#999999", linestyle=":", linewidth=1, label=f"slope {slope:g}")
