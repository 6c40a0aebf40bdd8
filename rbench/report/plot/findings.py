"""A figure's sentences for the first screen of the page, filled in from its points."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rbench.errors import UserError, printable, suggest
from rbench.report.leaderboard.stats import summarize
from rbench.report.leaderboard.text import number, quantity
from rbench.report.plot.declaration import Figure
from rbench.report.plot.points import Item, points, series

_PLACE = re.compile(r"\{([^{}@]+?)(?: @ ([^{}@:]+))?(:x)?\}")


@dataclass(frozen=True)
class Said:
    """A point in words: where it is, its value with its spread, and over how many seeds."""

    x: str
    y: str
    mean: float
    n: int


def findings(figure: Figure, chosen: Sequence[Item], everything: Sequence[Item]) -> list[str]:
    """The declared sentences whose places all have records, and what they are means of.

    ``{label}`` is the value of the series of that label (its highest point), or of a reference
    line; ``{label @ 64}`` that at x = 64, and ``{label:x}`` is x. UserError for a label that the
    figure does not have.
    """
    if not figure.findings:
        return []
    known = _points(figure, chosen, everything)
    labels = {*known, *figure.labels.values(), *(line.label for line in figure.reference)}
    counts: set[int] = set()

    def put(match: re.Match[str]) -> str:
        label, place, wants_x = match.groups()
        if label not in labels:
            raise UserError(
                f"figure {figure.name}: findings name the series '{printable(label, 80)}'"
                f"{suggest(label, sorted(labels))}"
            )
        able = [one for one in known.get(label, []) if place in (None, one.x)]
        if not able:
            raise LookupError(label)
        best = max(able, key=lambda one: one.mean)
        counts.add(best.n)
        return best.x if wants_x else best.y

    sentences = []
    for text in figure.findings:
        try:
            sentences.append(_PLACE.sub(put, text))
        except LookupError:
            continue
    return [*sentences, *([_over(counts, chosen)] if counts else [])]


def _over(counts: set[int], chosen: Sequence[Item]) -> str:
    few, many = min(counts), max(counts)
    seeds = f"{few}" if few == many else f"{few} to {many}"
    names = sorted({item.columns["protocol_name"] for item in chosen})
    return f"Mean ± standard deviation over {seeds} seed{'s' * (many > 1)}; {'; '.join(names[:2])}."


def _points(
    figure: Figure, chosen: Sequence[Item], everything: Sequence[Item]
) -> Mapping[str, list[Said]]:
    found: dict[str, list[Said]] = {}
    for label, members in series(figure, chosen):
        found[label] = [
            _said(figure, members, point.x, point.values)
            for point in points(figure, members, everything)
        ]
    for line in figure.reference:
        if line.where is not None:
            fit = [item for item in everything if item.matches(line.where)]
            values = {
                item.record.seed: float(value)
                for item in fit
                if isinstance(value := item.get(figure.ys[0]), int | float)
            }
            if values:
                found[line.label] = [_said(figure, fit, "", values)]
    return found


def _said(figure: Figure, members: Sequence[Item], x: object, values: dict[int, float]) -> Said:
    summary = summarize(list(values.values()))
    assert summary is not None
    name = str(figure.y).removeprefix("metric.")
    units = [m.unit for item in members for m in item.record.metrics if m.name.startswith(name)]
    unit = units[0] if units else ""
    shown = quantity(summary, unit)
    return Said(number(x) if isinstance(x, int | float) else str(x), shown, summary.mean, summary.n)
