"""What a table is made of: columns, entries (one configuration over its seeds), comparisons."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from rbench.report.leaderboard.multiplicity import LEVEL, Comparisons, holm
from rbench.report.leaderboard.rows import Row
from rbench.report.leaderboard.stats import Difference, Sample, Summary, difference
from rbench.report.leaderboard.text import count

SELECTED = "selected on test"
"""The mark of a row whose epoch was selected by the split that its metrics are measured on."""


@dataclass(frozen=True)
class MetricColumn:
    """A metric of a table."""

    name: str
    unit: str
    higher_is_better: bool | None


@dataclass(frozen=True)
class Comparison:
    """An entry against one of its controls, in one metric."""

    control: str
    entry: Entry
    difference: Difference


@dataclass(eq=False)
class Entry:
    """One configuration over its seeds."""

    configuration: str
    model: str
    init: str
    freeze: str
    rows: list[Row]
    failed: list[Row]
    values: dict[str, Sample]
    summaries: dict[str, Summary]
    rank: int | None = None
    rank_interval: tuple[int, int] | None = None
    """Lowest and highest rank that the seeds leave possible; None where they were not tested."""
    note: str = ""
    controls: dict[str, Entry] = field(default_factory=dict)
    _compared: dict[tuple[str, str], Comparison | None] = field(default_factory=dict)

    @cached_property
    def first(self) -> Row:
        """The row of the smallest seed."""
        return (self.rows or self.failed)[0]

    @property
    def seeds(self) -> int:
        """How many seeds have finished: a run measured again adds a record, not a seed."""
        return len({row.seed for row in self.rows})

    @property
    def trained(self) -> bool:
        """Whether anything of the network learned in its runs."""
        return self.first.trained

    @property
    def learned(self) -> int | None:
        """Parameters that learned in this run."""
        return self.first.learnable_parameters if self.trained else 0

    @property
    def what_learned(self) -> str:
        """``norms, classifier: 4.78 k of 272 k``; older records have the numbers alone."""
        if not self.trained or not self.fixed or self.learned is None:
            return count(self.learned)
        # Older records say "everything" where frozen filters are not kept.
        known = (f"{row.learns}: " for row in self.rows if row.learns not in ("", "everything"))
        words = next(known, "")
        return f"{words}{count(self.learned)} of {count(self.learned + self.fixed)}"

    @property
    def fixed(self) -> int | None:
        """Parameters that stayed as drawn."""
        first = self.first
        if self.trained or first.frozen_parameters is None:
            return first.frozen_parameters
        return first.frozen_parameters + (first.learnable_parameters or 0)

    @property
    def frozen(self) -> str:
        """What stayed as drawn, in words: by the policy, by the network or task, or everything."""
        if not self.trained:
            return "all (untrained)"
        if self.freeze == "none" and self.first.frozen_parameters:
            return "by design"
        return self.freeze

    @property
    def order(self) -> tuple[str, str, str, str]:
        """What entries are ordered by where nothing else tells."""
        return self.model, self.init, self.freeze, self.configuration

    @cached_property
    def selected_on_test(self) -> bool:
        """Whether an epoch was selected on the test split, so that its metrics are too good."""
        return any(row.selected_on_test for row in self.rows)

    @property
    def notes(self) -> str:
        """What tells it from entries of the same names, and a warning about its numbers."""
        return "; ".join(filter(None, [self.note, SELECTED if self.selected_on_test else ""]))

    @property
    def place(self) -> str:
        """``1 (1–4)``: the rank, and the ranks that the seeds leave possible."""
        if self.rank is None or self.rank_interval is None:
            return str(self.rank or "–")
        low, high = self.rank_interval
        return f"{self.rank} ({low}–{high})" if low < high else str(self.rank)

    @cached_property
    def comparable(self) -> bool:
        """Whether all its records may be ranked."""
        return all(row.comparable for row in self.rows)

    def compare_to(self, control: str, metric: str) -> Comparison | None:
        """The difference to a control, where both have the metric."""
        if control not in self.controls:
            return None
        key = control, metric
        if key not in self._compared:
            self._compared[key] = self._compare(control, metric)
        return self._compared[key]

    def _compare(self, control: str, metric: str) -> Comparison | None:
        other = self.controls[control]
        if metric not in self.values or metric not in other.values:
            return None
        gap = difference(self.values[metric], other.values[metric])
        return Comparison(control, other, gap) if gap else None


@dataclass(eq=False)
class Table:
    """One protocol: only what can be compared."""

    protocol: str
    name: str
    metrics: list[MetricColumn]
    primary: MetricColumn | None
    entries: list[Entry]
    title: str = ""
    """The protocol as a heading in words; ``name`` says all of it."""
    question: str = ""
    """The heading that this table shares with those of the same kind of task."""
    _adjusted: dict[str, dict[tuple[str, str], float]] = field(default_factory=dict)

    @cached_property
    def slug(self) -> str:
        """A file name: readable, unique by the protocol's digest."""
        text = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")[:60].strip("-")
        tail = re.sub(r"[^A-Za-z0-9]", "", self.protocol)[:12]
        return "-".join(part for part in (text, tail) if part) or "unnamed"

    @cached_property
    def cut(self) -> bool:
        """Whether all its runs were cut short: they compare with each other and nothing else."""
        return all(not entry.comparable for entry in self.entries)

    @cached_property
    def records(self) -> int:
        """Records behind the table, failed ones not counted."""
        return sum(len(entry.rows) for entry in self.entries)

    @cached_property
    def failed(self) -> list[Row]:
        """Failed and interrupted records."""
        return [row for entry in self.entries for row in entry.failed]

    @cached_property
    def comparisons(self) -> Comparisons:
        """How many of its comparisons with controls, in the first metric, are beyond the noise."""
        if self.primary is None:
            return Comparisons(0, 0, 0)
        adjusted = self.adjusted(self.primary.name)
        gaps = [
            comparison.difference
            for entry in self.entries
            for control in entry.controls
            if (comparison := entry.compare_to(control, self.primary.name))
        ]
        found = sum(gap.significant for gap in gaps if gap.p is not None)
        return Comparisons(len(adjusted), found, sum(p <= LEVEL for p in adjusted.values()))

    def adjusted(self, metric: str) -> dict[tuple[str, str], float]:
        """Holm's adjusted p of each comparison in a metric, by configuration and control."""
        if metric not in self._adjusted:
            found = {
                (entry.configuration, control): comparison.difference.p
                for entry in self.entries
                for control in entry.controls
                if (comparison := entry.compare_to(control, metric))
            }
            tested = {key: p for key, p in found.items() if p is not None}
            self._adjusted[metric] = dict(zip(tested, holm(list(tested.values())), strict=True))
        return self._adjusted[metric]

    @cached_property
    def frozen_vs_learnable(self) -> list[list[Entry]]:
        """Entries that differ in their freeze policy only, those with one policy left out."""
        groups: dict[bytes, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            if entry.rows and entry.trained:
                groups[key_without(entry, "freeze")].append(entry)
        return [group for group in groups.values() if len(group) > 1]


def key_without(entry: Entry, *left_out: str) -> bytes:
    """Equal for entries that have all else in common."""
    identity = entry.first.identity
    return msgspec.json.encode(
        {k: v for k, v in identity.items() if k not in left_out}, order="sorted"
    )
