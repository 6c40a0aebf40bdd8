"""Curves, bars, scatter, histories and heatmaps on one pair of axes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rbench.leaderboard.stats import summarise
from rbench.plot.declaration import Figure, Reference
from rbench.plot.points import Item, Point, points, rank, series, spread
from rbench.plot.style import DASHES, colour, marker, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

Lookup = Callable[[str], tuple[float, float | None]]


def fill(
    figure: Figure,
    axes: Axes,
    members: Sequence[Item],
    everything: Sequence[Item],
    reported: Lookup | None,
) -> bool:
    """Draw one panel; False where nothing fits."""
    if figure.kind == "heatmap":
        return _heatmap(figure, axes, members)
    if figure.kind == "history":
        drawn = _history(figure, axes, members)
    elif figure.kind == "scatter":
        drawn = _scatter(figure, axes, members)
    else:
        drawn = _marks(figure, axes, members, everything)
    if not drawn:
        return False
    for place, reference in enumerate(figure.reference):
        _reference(figure, axes, reference, place, members, everything, reported)
    _scales(figure, axes, members)
    return True


def legend(figure: Figure, picture: Canvas, all_axes: Sequence[Axes]) -> None:
    """One legend for all panels, below them."""
    handles: dict[str, Any] = {}
    for axes in all_axes:
        for handle, text in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(text, handle)
    if not handles:
        return
    references = {words(r.label) for r in figure.reference}
    handles = dict(sorted(handles.items(), key=lambda pair: pair[0] in references))
    longest = max(len(text) for text in handles)
    room = 60 if picture.get_figwidth() < 5 else 125
    columns = max(1, min(len(handles), room // (longest + 8)))
    picture.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=columns)


def _marks(figure: Figure, axes: Axes, members: Sequence[Item], everything: Sequence[Item]) -> bool:
    lines = _lines(figure, members, everything)
    if not lines:
        return False
    xs = {p.x for line in lines for p in line.points} | {x for r in figure.reported for x in r.x}
    texts = [x for x in xs if not isinstance(x, int | float)]
    places: dict[Any, Any] = {x: x for x in xs}
    if figure.kind == "bars" or texts:
        places = {x: i for i, x in enumerate(sorted(xs, key=lambda x: rank(x, figure.xorder)))}
        _ticks(figure, axes, list(places))
    bars = 0.8 / len(lines)
    for place, line in enumerate(lines):
        x = [places[p.x] for p in line.points]
        y, error = [p.centre for p in line.points], [p.error for p in line.points]
        name = words(line.label) or None
        if figure.kind == "bars":
            shifted = [v + bars * (place + 0.5) - 0.4 for v in x]
            bar_error = error if any(error) else None
            axes.bar(
                shifted,
                y,
                bars * 0.94,
                yerr=bar_error,
                color=colour(place),
                label=name,
                error_kw={"elinewidth": 0.8, "ecolor": "#333333"},
            )
        else:
            axes.errorbar(
                x,
                y,
                error if any(error) else None,
                color=colour(line.hue),
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


def _write_slopes(axes: Axes, lines: Sequence[_Line]) -> None:
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
        axes.text(x, 0.03 if low else 0.97, f"{slope:.2f}", color=colour(hue), **place)


@dataclass(frozen=True)
class _Line:
    label: str
    points: list[Point]
    hue: int
    dash: int = 0
    slope: float | None = None


def _lines(figure: Figure, members: Sequence[Item], everything: Sequence[Item]) -> list[_Line]:
    """A line for each series and each y. Several y: a dash each, or a colour for want of series."""
    groups, found = series(figure, members), list[_Line]()
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
            found.append(_Line(", ".join(parts), line, hue, dash, slope))
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


def _scatter(figure: Figure, axes: Axes, members: Sequence[Item]) -> bool:
    drawn = False
    for place, (label, found) in enumerate(series(figure, members)):
        pairs = [(i.get(str(figure.x)), i.get(str(figure.y))) for i in found]
        pairs = [p for p in pairs if all(isinstance(v, int | float) for v in p)]
        if pairs:
            drawn = True
            axes.plot(
                [p[0] for p in pairs],
                [p[1] for p in pairs],
                linestyle="",
                marker=marker(place),
                color=colour(place),
                label=words(label) or None,
            )
    return drawn


def _history(figure: Figure, axes: Axes, members: Sequence[Item]) -> bool:
    names = figure.ys
    drawn = False
    for place, (label, found) in enumerate(series(figure, members)):
        for dash, name in zip(DASHES * len(names), names, strict=False):
            runs = [run for item in found if isinstance(run := item.get(name), list) and run]
            if not runs:
                continue
            drawn = True
            centre, error = _average(figure, [_smooth(run, figure.smooth) for run in runs])
            x = [i + (figure.smooth + 1) / 2 for i in range(len(centre))]
            text = ", ".join(
                part for part in (label, _last(name) if len(names) > 1 else "") if part
            )
            axes.plot(x, centre, dash, color=colour(place), label=words(text) or None)
            if any(error):
                low = [c - e for c, e in zip(centre, error, strict=True)]
                high = [c + e for c, e in zip(centre, error, strict=True)]
                axes.fill_between(x, low, high, color=colour(place), alpha=0.18, linewidth=0)
    return drawn


def _average(figure: Figure, runs: list[list[float]]) -> tuple[list[float], list[float]]:
    centre, error = [], []
    for step in range(max(map(len, runs))):
        values = [run[step] for run in runs if step < len(run) and math.isfinite(run[step])]
        summary = summarise(values)
        centre.append(summary.mean if summary else math.nan)
        error.append(spread(figure.error, summary) if summary else 0.0)
    return centre, error


def _smooth(run: Sequence[float | None], window: int) -> list[float]:
    values = [math.nan if value is None else float(value) for value in run]
    window = min(window, len(values))
    if window == 1:
        return values
    return [math.fsum(values[i : i + window]) / window for i in range(len(values) - window + 1)]


def _heatmap(figure: Figure, axes: Axes, members: Sequence[Item]) -> bool:
    assert figure.x
    assert isinstance(figure.y, str)
    assert figure.value
    fields: dict[tuple[Any, Any], list[float]] = defaultdict(list)
    for item in members:
        x, y, value = item.get(figure.x), item.get(figure.y), item.get(figure.value)
        if x is not None and y is not None and isinstance(value, int | float):
            fields[x, y].append(float(value))
    if not fields:
        return False
    xs = sorted({x for x, _ in fields}, key=lambda v: rank(v, figure.xorder))
    ys = sorted({y for _, y in fields}, key=lambda v: rank(v, figure.order))
    means = {key: math.fsum(values) / len(values) for key, values in fields.items()}
    grid = [[means.get((x, y), math.nan) for x in xs] for y in ys]
    image = axes.imshow(grid, cmap="viridis", aspect="auto", origin="lower")
    axes.grid(False)
    middle = (min(means.values()) + max(means.values())) / 2
    for column, x in enumerate(xs):
        for row, y in enumerate(ys):
            if (value := means.get((x, y))) is not None:
                axes.text(
                    column,
                    row,
                    f"{value:.3g}",
                    ha="center",
                    va="center",
                    fontsize=6,
                    color="white" if value < middle else "black",
                )
    axes.set_xticks(range(len(xs)), [words(figure.word(x), 24) for x in xs])
    axes.set_yticks(range(len(ys)), [words(figure.word(y), 24) for y in ys])
    _names(figure, axes, members)
    assert axes.figure is not None
    axes.figure.colorbar(image, ax=axes, label=words(_named(figure.value, members)))
    return True


def _reference(
    figure: Figure,
    axes: Axes,
    reference: Reference,
    place: int,
    members: Sequence[Item],
    everything: Sequence[Item],
    reported: Lookup | None,
) -> None:
    value, error = reference.value, reference.error or 0.0
    if reference.reported is not None:
        if reported is None:
            return
        value, stated = reported(reference.reported)
        error = stated or 0.0
    if reference.where is not None:
        where = dict(reference.where)
        if figure.panel and figure.panel not in where and members:
            where[figure.panel] = members[0].get(figure.panel)
        column = figure.ys[0]
        values = [
            float(v)
            for i in everything
            if i.matches(where) and isinstance(v := i.get(column), int | float)
        ]
        summary = summarise(values)
        if summary is None:
            return
        value, error = summary.mean, spread(figure.error, summary)
    assert value is not None
    dash = DASHES[(place + 1) % len(DASHES)]
    axes.axhline(value, color="#555555", linestyle=dash, linewidth=1, label=words(reference.label))
    if error:
        axes.axhspan(value - error, value + error, color="#555555", alpha=0.12, linewidth=0)


def _slope(axes: Axes, line: list[Point], slope: float) -> None:
    numbers = [p for p in line if p.x > 0 and p.centre > 0]
    if len(numbers) < 2:
        return
    middle = numbers[len(numbers) // 2]
    xs = [numbers[0].x, numbers[-1].x]
    ys = [middle.centre * (x / middle.x) ** slope for x in xs]
    axes.plot(xs, ys, color="#999999", linestyle=":", linewidth=1, label=f"slope {slope:g}")


_MANY = 100
"""From this ratio of an axis's ends on, its decades are numbers enough."""


def _scales(figure: Figure, axes: Axes, members: Sequence[Item]) -> None:
    from matplotlib.ticker import FuncFormatter

    for axis, scale in (("x", figure.xscale), ("y", figure.yscale)):
        if scale != "linear":
            getattr(axes, f"set_{axis}scale")("log", base=2 if scale == "log2" else 10)
            # matplotlib writes powers as TeX, which the style does not read.
            written = getattr(axes, f"{axis}axis")
            major = _short if scale == "log" else "{:g}".format
            written.set_major_formatter(FuncFormatter(lambda value, _, text=major: text(value)))
            minor = partial(_minor, written) if scale == "log" else _nothing
            written.set_minor_formatter(FuncFormatter(minor))
    if figure.xlim:
        axes.set_xlim(*figure.xlim)
    if figure.ylim:
        axes.set_ylim(*figure.ylim)
    _names(figure, axes, members)


def _short(value: float) -> str:
    """``100k`` and ``20M`` for large numbers, so that they stand beside each other."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= max(size, 1e4):
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _minor(axis: Any, value: float, position: int) -> str:
    """Between decades 2 and 5 are written on a short axis, which may have no other numbers."""
    low, high = sorted(map(float, axis.get_view_interval()))
    if low <= 0 or high / low > _MANY:
        return ""
    digits = f"{value:e}"
    return _short(value) if digits[0] in "25" and float(digits.partition("e")[0]) % 1 == 0 else ""


def _nothing(value: float, position: int) -> str:
    return ""


def _names(figure: Figure, axes: Axes, members: Sequence[Item]) -> None:
    y = next(iter(figure.ys), "")
    xlabel = figure.xlabel if figure.xlabel is not None else _named(figure.x or "", members)
    ylabel = figure.ylabel if figure.ylabel is not None else _named(y, members)
    axes.set_xlabel(words(xlabel))
    axes.set_ylabel(words(ylabel))


def _named(column: str, members: Sequence[Item]) -> str:
    for item in members:
        for metric in item.record.metrics:
            if metric.name == column.removeprefix("metric.") and metric.unit:
                return f"{metric.name} ({metric.unit})"
    return _last(column).replace("_", " ")


def _last(column: str) -> str:
    return column.rpartition(".")[2]


def _ticks(figure: Figure, axes: Axes, values: list[Any]) -> None:
    texts = [words(figure.word(value), 24) for value in values]
    crowded = sum(map(len, texts)) > 36
    axes.set_xticks(
        range(len(values)),
        texts,
        rotation=35 if crowded else 0,
        ha="right" if crowded else "center",
        rotation_mode="anchor",
    )
