"""Records -> the points of a figure: select, group, average, subtract."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rbench.errors import UserError, printable
from rbench.records.record import Record
from rbench.report.leaderboard.frame import FIELDS, columns
from rbench.report.leaderboard.reader import Reader
from rbench.report.leaderboard.stats import (
    Difference,
    Summary,
    difference,
    summarize,
    t_quantile,
    within_run,
)
from rbench.report.plot.declaration import Figure
from rbench.spec.columns import canonical_name
from rbench.spec.conditions import Where, holds

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Item:
    """A finished record, its columns, and the folder that its pictures are in."""

    record: Record
    columns: dict[str, Any]
    folder: Path | None = None

    def get(self, path: str) -> Any:
        """The value of a column; None where the record has none."""
        name = canonical_name(path)
        for candidate in (name, f"metric.{name}"):
            if (value := self.columns.get(candidate)) is not None:
                return value
        head, _, rest = name.partition(".")
        for value in self.record.metrics:
            # A metric's name without what it was measured at: fgsm for fgsm@1/255.
            if value.name.startswith(f"{name}@"):
                return value.value
        if head == "history":
            return self.record.history.get(rest)
        if head == "details":
            return dig(self.record.details, rest)
        if head == "metrics":
            metric, _, inner = rest.partition(".details")
            for value in self.record.metrics:
                if value.name == metric:
                    return dig(value.details, inner.removeprefix("."))
        return None

    def matches(self, where: Where) -> bool:
        """Whether every condition holds."""
        return holds(where, self.get)


@dataclass
class Point:
    """One mark: where it is, its values by seed, and what they come to."""

    x: Any
    values: dict[int, float] = field(default_factory=dict)
    centre: float = 0.0
    error: float = 0.0


def items(records: Iterable[tuple[Record, Path | None]]) -> list[Item]:
    """Finished records with their columns, one a digest, in an order of their own."""
    reader = Reader()
    found: dict[str, Item] = {}
    for record, folder in records:
        if record.status != "done":
            continue
        row = reader.parse(record.model_dump_json(), record.digest)
        kept = found.get(record.digest)
        if kept is None or record.started < kept.record.started:
            found[record.digest] = Item(record, columns(row), folder)
    return sorted(found.values(), key=_order)


def _order(item: Item) -> tuple[str, int]:
    return item.columns["configuration"], item.record.seed


def dig(content: Any, path: str) -> Any:
    """``a.b.0`` in nested tables and lists; None where there is nothing."""
    for part in path.split(".") if path else []:
        if isinstance(content, Mapping):
            content = content.get(part)
        elif isinstance(content, list) and part.isdigit() and int(part) < len(content):
            content = content[int(part)]
        else:
            return None
    return content


def selected(figure: Figure, found: Sequence[Item]) -> tuple[list[Item], list[str]]:
    """The items of a figure, no point mixing protocols, and what was left out."""
    fitting = sorted((item for item in found if item.matches(figure.where)), key=_order)
    lacking = {item.record.digest: name for item in fitting if (name := _lacks(figure, item))}
    chosen = [item for item in fitting if item.record.digest not in lacking]
    weight = Counter(item.record.protocol for item in found)
    groups: dict[Key, list[Item]] = defaultdict(list)
    coordinates = [c for c in (figure.x, figure.panel, figure.rows, figure.columns) if c]
    if figure.kind == "heatmap" and isinstance(figure.y, str):
        coordinates.append(figure.y)
    for item in chosen:
        key = tuple(str(item.get(c)) for c in [*coordinates, *figure.series_columns])
        groups[key].append(item)
    kept: set[str] = set()
    dropped = 0
    for group in groups.values():
        best = min({i.record.protocol for i in group}, key=lambda p: (-weight[p], p))
        for item in group:
            if item.record.protocol == best:
                kept.add(item.record.digest)
            else:
                dropped += 1
    notes = [f"{dropped} records of other protocols left out"] if dropped else []
    lacked = Counter(lacking.values())
    notes += [f"{count} records without {column} left out" for column, count in lacked.items()]
    return [item for item in chosen if item.record.digest in kept], notes


def _lacks(figure: Figure, item: Item) -> str:
    """The columns that would place an item, where it has no value of them; else empty."""
    if figure.kind == "pictures":
        return ""
    for column in (figure.panel, figure.x):
        if column is not None and item.get(column) is None:
            return column
    columns = figure.series_columns
    if columns and all(item.get(column) is None for column in columns):
        return " and ".join(columns)
    return ""


def panels(figure: Figure, chosen: Sequence[Item]) -> list[tuple[Any, list[Item]]]:
    """The items of each panel, by value; one panel of all where none is declared."""
    if figure.panel is None:
        return [(None, list(chosen))]
    groups: dict[Any, list[Item]] = defaultdict(list)
    for item in chosen:
        if (value := item.get(figure.panel)) is not None:
            groups[value].append(item)
    return sorted(groups.items(), key=lambda pair: sort_key(pair[0], []))


def series(figure: Figure, chosen: Sequence[Item]) -> list[tuple[str, list[Item]]]:
    """The items of each series under its label, in the declared order.

    A network that has some of the columns only (another has the option) is in a series, too.
    """
    groups: dict[Key, list[Item]] = defaultdict(list)
    for item in chosen:
        key = tuple(item.get(column) for column in figure.series_columns)
        if not key or any(part is not None for part in key):
            groups[key].append(item)
    ordered = sorted(groups, key=lambda key: [sort_key(part, figure.order) for part in key])
    return [(_label(figure, key), groups[key]) for key in ordered]


def _label(figure: Figure, key: Key) -> str:
    """The declared words for these values together, else for each of them."""
    plain = figure.model_copy(update={"labels": {}})
    parts = [part for part in key if part is not None]
    together = ", ".join(plain.word(part) for part in parts)
    return figure.labels.get(together, ", ".join(figure.word(part) for part in parts))


def points(figure: Figure, chosen: Sequence[Item], everything: Sequence[Item]) -> list[Point]:
    """Mean and error of y at each x of one series, differences taken if declared.

    A figure without x has one point a series, at x = "".
    """
    assert isinstance(figure.y, str)
    by_x: dict[Any, list[Item]] = defaultdict(list)
    for item in chosen:
        x = "" if figure.x is None else item.get(figure.x)
        if x is not None and isinstance(item.get(figure.y), int | float):
            by_x[x].append(item)
    found = []
    for x in sorted(by_x, key=lambda value: sort_key(value, figure.xorder)):
        values = _by_seed(figure, x, by_x[x])
        if figure.minus:
            gap = _gap(figure, by_x[x], values, everything)
            if gap is None:
                continue
            found.append(Point(x, values, figure.sign * gap.value, _gap_error(figure.error, gap)))
        else:
            summary = summarize(list(values.values()))
            assert summary is not None
            error = half_error_bar(figure.error, summary)
            if summary.n == 1 and figure.error in ("std", "sem"):
                error = _own_spread(by_x[x][0], figure.y, figure.error)
            found.append(Point(x, values, figure.sign * summary.mean, error))
    return found


def _own_spread(item: Item, name: str, kind: str) -> float:
    """The spread over the random networks of one record that holds several; else 0."""
    for value in item.record.metrics:
        if value.name == name.removeprefix("metric.") and (own := within_run(value)):
            return half_error_bar(kind, own)
    return 0.0


def half_error_bar(kind: str, summary: Summary) -> float:
    """The half length of an error bar; 0 for one seed."""
    if summary.std is None or summary.sem is None or kind == "none":
        return 0.0
    if kind == "ci":
        return t_quantile(summary.n - 1) * summary.sem
    return summary.std if kind == "std" else summary.sem


def sort_key(value: Any, order: Sequence[Any]) -> tuple[int, float, str]:
    """Sorting key: what lacks the column, the declared order, numbers by size, texts.

    Numbers within texts count as numbers: ``layer.9, layer.10``.
    """
    if value is None:
        return (-1, 0.0, "")
    if value in order:
        return (0, float(list(order).index(value)), "")
    if isinstance(value, int | float):
        return (1, float(value), "")
    return (2, 0.0, re.sub(r"\d+", lambda digits: digits[0].zfill(12), str(value)))


def _gap(
    figure: Figure, here: Sequence[Item], values: dict[int, float], everything: Sequence[Item]
) -> Difference | None:
    fixed = [c for c in (figure.x, figure.panel, *figure.series_columns) if c]
    fixed = [c for c in fixed if c not in figure.minus]
    first, protocol = here[0], {item.record.protocol for item in here}
    other = [
        item
        for item in everything
        if item.matches({**figure.where, **figure.minus})
        and item.record.protocol in protocol
        and all(item.get(c) == first.get(c) for c in fixed)
        and isinstance(item.get(str(figure.y)), int | float)
    ]
    place = "" if figure.x is None else first.get(figure.x)
    return difference(values, _by_seed(figure, place, other))


def _gap_error(kind: str, gap: Difference) -> float:
    if kind == "none" or gap.sem is None or gap.low is None or gap.high is None:
        return 0.0
    if kind == "ci":
        return (gap.high - gap.low) / 2
    return gap.sem if kind == "sem" else gap.sem * math.sqrt(gap.n)


def _by_seed(figure: Figure, place: Any, found: Sequence[Item]) -> dict[int, float]:
    """Values of y by seed; UserError where several configurations fall on one point."""
    assert isinstance(figure.y, str)
    configurations = {item.columns["configuration"]: item for item in found}
    if len(configurations) > 1:
        several = list(configurations.values())
        names = sorted({name for item in several for name in item.columns})
        differ = [
            name
            for name in names
            if not name.startswith("metric.")
            and name not in FIELDS
            and len({repr(item.columns.get(name)) for item in several}) > 1
        ]
        point = f"the point {figure.x} = {printable(place, 40)}" if figure.x else "one place"
        raise UserError(
            f"figure {figure.name}: {len(configurations)} configurations fall on {point}; "
            f"they differ in {', '.join(differ[:4])}: name it in series, panel or where"
        )
    return {item.record.seed: float(item.get(figure.y)) for item in found}
