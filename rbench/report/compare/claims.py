"""Judge one claim on the entries of one protocol."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rbench.report.compare.declaration import Claim, Where
from rbench.report.compare.select import Measured
from rbench.report.leaderboard.stats import NOISE, Difference, difference
from rbench.report.leaderboard.table_markdown import gap_text

HOLDS, FAILS = "holds", "does not hold"
ONE = " (one seed)"
STEADY = 0.8
"""A trend must have at least this rank correlation."""


@dataclass(frozen=True)
class ClaimResult:
    """One piece of evidence: on what, what was found, and what it says."""

    where: str
    text: str
    verdict: str


def judge(claim: Claim, members: Sequence[Measured]) -> list[ClaimResult]:
    """Every result that these entries, all of one protocol, have to offer on a claim."""
    return _trend(claim, members) if claim.kind == "trend" else _pairs(claim, members)


def _pairs(claim: Claim, members: Sequence[Measured]) -> list[ClaimResult]:
    results = []
    for key, group in _groups(claim.each, members):
        above = [m for m in group if m.matches(claim.above)]
        below = [m for m in group if m.matches(claim.below)]
        for a, b in itertools.product(above, below):
            gap = difference(
                _values(claim, claim.above, a, group), _values(claim, claim.below, b, group)
            )
            if a is b or gap is None:
                continue
            names = f"{_name(a)} − {_name(b)}"
            if claim.minus:
                names = f"gap of {_name(a)} − gap of {_name(b)}"
            results.append(
                ClaimResult(_where(a, key), f"{names}: {gap_text(gap)}", _verdict(claim, gap))
            )
    return results


def _verdict(claim: Claim, gap: Difference) -> str:
    if claim.kind == "tie":
        return (HOLDS if abs(gap.value) <= claim.at_least or _in_noise(gap) else FAILS) + (
            ONE if gap.low is None else ""
        )
    if gap.low is None or gap.high is None:
        return (HOLDS if gap.value > claim.at_least else FAILS) + ONE
    if gap.low > claim.at_least:
        return HOLDS
    return FAILS if gap.high < claim.at_least else NOISE


def _in_noise(gap: Difference) -> bool:
    return gap.low is not None and not gap.telling


def _trend(claim: Claim, members: Sequence[Measured]) -> list[ClaimResult]:
    assert claim.x is not None
    results = []
    for key, group in _groups(claim.each, members):
        by_x: dict[float, Measured] = {}
        for one in sorted(group, key=lambda m: m.entry.cell):
            x = one.get(claim.x)
            if one.matches(claim.where) and isinstance(x, int | float):
                by_x.setdefault(float(x), one)
        line = [
            (x, values)
            for x, one in sorted(by_x.items())
            if (values := _values(claim, claim.where, one, group))
        ]
        if len(line) < 2:
            continue
        sign = 1 if claim.direction == "rises" else -1
        means = [sum(values.values()) / len(values) for _, values in line]
        rho = sign * _spearman([x for x, _ in line], means)
        gap = difference(line[-1][1], line[0][1])
        assert gap is not None
        column = claim.x.rpartition(".")[2]
        text = (
            f"{column} {line[0][0]:g} to {line[-1][0]:g}: {gap_text(gap)}, rank correlation "
            f"{sign * rho:+.2f} over {len(line)} points"
        )
        results.append(
            ClaimResult(
                _where(next(iter(by_x.values())), key), text, _trend_verdict(sign, rho, gap)
            )
        )
    return results


def _trend_verdict(sign: int, rho: float, gap: Difference) -> str:
    along = sign * gap.value > 0
    if gap.low is None:
        return (HOLDS if along and rho >= STEADY else FAILS) + ONE
    if not gap.telling:
        return NOISE
    return HOLDS if along and rho >= STEADY else FAILS


def _values(
    claim: Claim, side: Where, one: Measured, group: Sequence[Measured]
) -> dict[int, float]:
    """By seed: the metric, or its difference to the entry that ``minus`` names instead.

    Of several such entries the one that shares most columns with this one is taken.
    """
    values = one.values(claim.metric)
    if not claim.minus:
        return values
    wanted: Where = {**side, **claim.minus}
    others = [m for m in group if m.matches(wanted) and m is not one]
    if claim.x is not None:
        others = [m for m in others if m.get(claim.x) == one.get(claim.x)]
    if not others:
        return {}
    other = min(others, key=lambda m: (_unlike(one, m), m.entry.cell)).values(claim.metric)
    return {seed: values[seed] - other[seed] for seed in sorted(set(values) & set(other))}


def _unlike(a: Measured, b: Measured) -> int:
    return sum(a.get(column) != b.get(column) for column in {*a.columns, *b.columns})


def _groups(
    columns: Sequence[str], members: Sequence[Measured]
) -> list[tuple[tuple[Any, ...], list[Measured]]]:
    groups: dict[tuple[Any, ...], list[Measured]] = defaultdict(list)
    for one in members:
        groups[tuple(one.get(column) for column in columns)].append(one)
    return sorted(groups.items(), key=lambda pair: [str(part) for part in pair[0]])


def _where(one: Measured, key: tuple[Any, ...]) -> str:
    parts = [one.protocol_name or one.protocol, *(str(part) for part in key if part is not None)]
    return ", ".join(part for part in parts if part)


def _name(one: Measured) -> str:
    frozen = one.columns["freeze"]
    return one.entry.model + ("" if frozen == "none" else f" ({frozen} frozen)")


def _spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Rank correlation; ties get their mean rank; 0 where either does not vary."""
    a, b = _ranks(x), _ranks(y)
    middle = (len(x) + 1) / 2
    top = sum((i - middle) * (j - middle) for i, j in zip(a, b, strict=True))
    under = sum((i - middle) ** 2 for i in a) * sum((j - middle) ** 2 for j in b)
    return float(top / under**0.5) if under else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered.index(v) + (ordered.count(v) + 1) / 2 for v in values]
