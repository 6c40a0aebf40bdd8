"""The arms of a claim: which configurations may be compared, and their values by seed."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rbench.report.compare.declaration import Claim
from rbench.report.compare.select import Measured
from rbench.report.leaderboard.stats import Sample
from rbench.spec.columns import canonical_name
from rbench.spec.conditions import Where

ALWAYS_FREE = frozenset({"model", "digest_version", "recipe"})
"""Columns that two arms may differ in: a network has several names, a recipe is its fields."""


@dataclass
class Arm:
    """A configuration of a claim, its values, and those that were looked at for them."""

    measured: Measured
    values: Sample
    behind: list[Measured] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The network, and what of it is frozen."""
        frozen = self.measured.columns["freeze"]
        return self.measured.entry.model + ("" if frozen == "none" else f" ({frozen} frozen)")


@dataclass
class Pair:
    """Two arms that agree in all but what the claim is about; or in what they differ, too."""

    key: tuple[Any, ...]
    above: Arm
    below: Arm
    differ: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    """Columns by which the claim tells its arms apart."""

    @property
    def names(self) -> tuple[str, str]:
        """The arms' names; where they are equal, each with its values of what differs."""
        above, below = self.above, self.below
        if above.name != below.name:
            return above.name, below.name
        a, b = above.measured.columns, below.measured.columns
        columns = [column for column in self.named if a.get(column) != b.get(column)]
        if not columns:
            return above.name, below.name
        first, second = (
            ", ".join(f"{c.rpartition('.')[2]} {arm.measured.get(c)}" for c in columns)
            for arm in (above, below)
        )
        return f"{above.name}, {first}", f"{below.name}, {second}"


@dataclass
class Line:
    """The arms of a trend by their place on x; or in what else they differ."""

    key: tuple[Any, ...]
    arms: dict[float, Arm]
    differ: tuple[str, ...] = ()


def pairs(claim: Claim, members: Sequence[Measured], free: Sequence[str]) -> Iterator[Pair]:
    """Every pair of arms that a claim compares, one for each value of its columns ``each``.

    Of several configurations that differ in nothing that matters (a network under two names),
    the one with most seeds is taken. Where all candidates differ in an option that neither side
    names, the pair says in which.
    """
    own = (*claim.free, *free)
    allowed = _free(claim, free, {*claim.above, *claim.below})
    for key, group in grouped(claim.each, members):
        sides = [
            _by_constraint(where, group) for where in (claim.above, claim.below or claim.above)
        ]
        for above, below in itertools.product(*sides):
            options = [
                (a, b)
                for a, b in itertools.product(above, below)
                if (a is b) == bool(claim.below_metric)
            ]
            made = [
                (
                    _arm(claim, claim.above, a, group, claim.metric, own),
                    b,
                    disagreement(a, b, allowed),
                )
                for a, b in options
            ]
            other = claim.below_metric or claim.metric
            found = [
                Pair(
                    key,
                    a,
                    _arm(claim, claim.below or claim.above, b, group, other, own),
                    named_values(differ, [a.measured, b]),
                    tuple(sorted(map(canonical_name, {*claim.above, *claim.below}))),
                )
                for a, b, differ in made
            ]
            found = [pair for pair in found if pair.above.values and pair.below.values]
            if found:
                yield max(found, key=_merit)


def _merit(pair: Pair) -> tuple[int, int, str]:
    seeds = len(set(pair.above.values) & set(pair.below.values))
    names = pair.above.measured.entry.configuration + pair.below.measured.entry.configuration
    return -len(pair.differ), seeds, names


def lines(
    claim: Claim, where: Where, members: Sequence[Measured], free: Sequence[str]
) -> Iterator[Line]:
    """The arms that ``where`` names against x, one line for each value of the columns ``each``."""
    assert claim.x is not None
    own = (*claim.free, *free)
    allowed = _free(claim, free, {*where, claim.x})
    for key, group in grouped(claim.each, members):
        places: dict[float, list[Arm]] = defaultdict(list)
        for one in group:
            x = one.get(claim.x)
            if isinstance(x, int | float) and one.matches(where):
                arm = _arm(claim, where, one, group, claim.metric, own)
                if arm.values:
                    places[float(x)].append(arm)
        everyone = [arm.measured for arms in places.values() for arm in arms]
        differ = {c for one in everyone for c in disagreement(everyone[0], one, allowed)}
        best = {
            x: max(arms, key=lambda arm: (len(arm.values), arm.measured.entry.configuration))
            for x, arms in sorted(places.items())
        }
        if best:
            yield Line(key, best, named_values(differ, everyone))


def named_values(columns: Collection[str], members: Sequence[Measured]) -> tuple[str, ...]:
    """``model.shortcut (conv, identity)``: columns with the values that the members have."""
    return tuple(
        f"{column} ({', '.join(sorted({str(one.get(column)) for one in members}))})"
        for column in sorted(columns)
    )


def disagreement(a: Measured, b: Measured, free: Collection[str]) -> list[str]:
    """The columns that both have, with other values, outside ``free``."""
    shared = a.columns.keys() & b.columns.keys()
    return sorted(c for c in shared if c not in free and a.columns[c] != b.columns[c])


def grouped(
    columns: Sequence[str], members: Sequence[Measured]
) -> list[tuple[tuple[Any, ...], list[Measured]]]:
    """The members by the values of ``columns``."""
    groups: dict[tuple[Any, ...], list[Measured]] = defaultdict(list)
    for one in members:
        groups[tuple(one.get(column) for column in columns)].append(one)
    return sorted(groups.items(), key=lambda pair: [str(part) for part in pair[0]])


def _free(claim: Claim, paper: Sequence[str], constrained: set[str]) -> frozenset[str]:
    names = {*claim.free, *paper, *constrained, *claim.each, *claim.minus}
    return ALWAYS_FREE | {canonical_name(name) for name in names}


def _by_constraint(where: Where, group: Sequence[Measured]) -> list[list[Measured]]:
    """The members that ``where`` names, together where they agree in its columns."""
    names = [column for column in where if column != "model"]
    found = grouped(names, [one for one in group if one.matches(where)])
    return [members for _, members in found]


def _arm(
    claim: Claim,
    side: Where,
    one: Measured,
    group: Sequence[Measured],
    metric: str,
    free: Collection[str],
) -> Arm:
    """The metric by seed, or its difference to the configuration that ``minus`` names instead."""
    values = one.values(metric)
    if not claim.minus:
        return Arm(one, values, [one])
    wanted = {**side, **claim.minus}
    varied = {*map(canonical_name, claim.minus)}
    allowed = ALWAYS_FREE | set(map(canonical_name, free))
    others = [
        m
        for m in group
        if m is not one
        and m.matches(wanted)
        and not set(disagreement(one, m, ())) - varied - allowed
    ]
    if not others:
        return Arm(one, Sample(), [one])
    other = max(others, key=lambda m: (len(m.gaps(one, metric)), m.entry.configuration))
    return Arm(one, one.gaps(other, metric), [one, other])
