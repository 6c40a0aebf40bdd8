"""One panel: a figure's kind, its reference lines, its legend; scatter, histories, heatmaps."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rbench.report.leaderboard.stats import summarize
from rbench.report.plot.declaration import Figure, Reference
from rbench.report.plot.marks import draw_marks
from rbench.report.plot.points import Item, half_error_bar, series, sort_key
from rbench.report.plot.scales import last_part, name_axes, scale, title_of
from rbench.report.plot.strip import draw_strip
from rbench.report.plot.style import DASHES, color, in_cell, marker, words

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
    elif figure.kind == "strip":
        drawn = draw_strip(figure, axes, members, everything)
    else:
        drawn = draw_marks(figure, axes, members, everything)
    if not drawn:
        return False
    for place, reference in enumerate(figure.reference):
        found = _reference(figure, reference, members, everything, reported)
        if found is not None:
            _draw_reference(axes, reference.label, DASHES[(place + 1) % len(DASHES)], found)
    scale(figure, axes, members)
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
                color=color(place),
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
            # A curve that was measured every few epochs has gaps: its points are connected.
            kept = [i for i, value in enumerate(centre) if math.isfinite(value)]
            x = [i + (figure.smooth + 1) / 2 for i in kept]
            centre, error = [centre[i] for i in kept], [error[i] for i in kept]
            text = ", ".join(
                part for part in (label, last_part(name) if len(names) > 1 else "") if part
            )
            axes.plot(x, centre, dash, color=color(place), label=words(text) or None)
            if any(error):
                low = [c - e for c, e in zip(centre, error, strict=True)]
                high = [c + e for c, e in zip(centre, error, strict=True)]
                axes.fill_between(x, low, high, color=color(place), alpha=0.18, linewidth=0)
    return drawn


def _average(figure: Figure, runs: list[list[float]]) -> tuple[list[float], list[float]]:
    centre, error = [], []
    for step in range(max(map(len, runs))):
        values = [run[step] for run in runs if step < len(run) and math.isfinite(run[step])]
        summary = summarize(values)
        centre.append(summary.mean if summary else math.nan)
        error.append(half_error_bar(figure.error, summary) if summary else 0.0)
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
    xs = sorted({x for x, _ in fields}, key=lambda v: sort_key(v, figure.xorder))
    ys = sorted({y for _, y in fields}, key=lambda v: sort_key(v, figure.order))
    means = {key: math.fsum(values) / len(values) for key, values in fields.items()}
    grid = [[means.get((x, y), math.nan) for x in xs] for y in ys]
    image = axes.imshow(grid, cmap="viridis", aspect="auto", origin="lower")
    axes.grid(False)
    middle = (min(means.values()) + max(means.values())) / 2
    for column, x in enumerate(xs):
        for row, y in enumerate(ys):
            if (value := means.get((x, y))) is not None:
                in_cell(axes, column, row, f"{value:.3g}", 6, value < middle)
    axes.set_xticks(range(len(xs)), [words(figure.word(x), 24) for x in xs])
    axes.set_yticks(range(len(ys)), [words(figure.word(y), 24) for y in ys])
    name_axes(figure, axes, members)
    assert axes.figure is not None
    axes.figure.colorbar(image, ax=axes, label=words(title_of(figure.value, members)))
    return True


def _reference(
    figure: Figure,
    reference: Reference,
    members: Sequence[Item],
    everything: Sequence[Item],
    reported: Lookup | None,
) -> tuple[float, float] | None:
    """The value of a reference line and its error, 0 without one; None if there is none."""
    value, error = reference.value, reference.error or 0.0
    if reference.reported is not None:
        if reported is None:
            return None
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
        summary = summarize(values)
        if summary is None:
            return None
        value, error = summary.mean, half_error_bar(figure.error, summary)
    assert value is not None
    return value, error


def _draw_reference(axes: Axes, label: str, dash: Any, found: tuple[float, float]) -> None:
    value, error = found
    axes.axhline(value, color="#555555", linestyle=dash, linewidth=1, label=words(label))
    if error:
        axes.axhspan(value - error, value + error, color="#555555", alpha=0.12, linewidth=0)
