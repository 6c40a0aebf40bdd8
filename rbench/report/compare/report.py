"""Declarations and tables -> verdicts: each reported value and each claim of a paper."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from rbench.report.compare.claims import ClaimResult, judge
from rbench.report.compare.declaration import Claim, Paper, Value
from rbench.report.compare.select import Measured, Pool, measured
from rbench.report.leaderboard.entries import Table
from rbench.report.leaderboard.stats import Summary, summarise, t_quantile

AGREES, DIFFERS = "agrees", "differs"
CUT = "fewer training images"
NOT_COMPARABLE, NOT_MEASURED = "not comparable", "not measured"


@dataclass(frozen=True)
class ValueRow:
    """A reported value, what was measured, and the verdict."""

    paper: str
    value: Value
    measured: Summary | None
    network: str
    difference: float | None
    protocol: str
    departures: tuple[str, ...]
    verdict: str


@dataclass(frozen=True)
class ClaimRow:
    """A claim, the results that bear on it, and the verdict."""

    paper: str
    claim: Claim
    results: tuple[ClaimResult, ...]
    protocol: str
    departures: tuple[str, ...]
    verdict: str


@dataclass
class Report:
    """Everything that was compared."""

    papers: list[Paper]
    values: list[ValueRow] = field(default_factory=list)
    claims: list[ClaimRow] = field(default_factory=list)


def report(tables: Sequence[Table], papers: Sequence[Paper]) -> Report:
    """Hold every value and claim of ``papers`` against ``tables``."""
    found = Pool(measured(tables))
    made = Report(list(papers))
    for paper in papers:
        made.values += [_value(paper, value, found.matching(value.where)) for value in paper.value]
        for claim in paper.claim:
            sides = [claim.where] if claim.kind == "trend" else [claim.above, claim.below]
            sides += [{**side, **claim.minus} for side in sides]
            made.claims.append(_claim(paper, claim, found.matching(*sides)))
    return made


def _value(paper: Paper, value: Value, found: Sequence[Measured]) -> ValueRow:
    able = [m for m in found if m.values(value.metric) and m.matches(value.where)]
    if not able:
        return ValueRow(paper.name, value, None, "", None, "", (), NOT_MEASURED)
    conditions = paper.conditions(value)

    def merit(one: Measured) -> tuple[int, bool, int, str]:
        seeds = len(one.values(value.metric))
        return len(one.departures(conditions)), not one.entry.comparable, -seeds, one.entry.cell

    best = min(able, key=merit)
    departures = best.departures(conditions)
    if not best.entry.comparable:
        departures.append(CUT)
    summary = summarise(list(best.values(value.metric).values()))
    assert summary is not None
    gap = summary.mean - value.value
    verdict = NOT_COMPARABLE
    if not departures:
        verdict = AGREES if abs(gap) <= allowance(value, summary) else DIFFERS
    return ValueRow(
        paper.name,
        value,
        summary,
        best.entry.model,
        gap,
        "reduced" if departures else "paper's",
        tuple(departures),
        verdict,
    )


def allowance(value: Value, summary: Summary) -> float:
    """How far a measured mean may lie from the reported one.

    The 95 % interval of the difference (Welch), the paper's error read as the standard deviation
    of its n runs, or the declared tolerance where that is wider or no spread is known.
    """
    own = summary.sem or 0.0
    theirs = (value.error or 0.0) / math.sqrt(value.n)
    freedom = max(summary.n + (value.n if value.error is not None else 1) - 2, 1)
    interval = t_quantile(freedom) * math.hypot(own, theirs) if own or theirs else 0.0
    return max(interval, value.tolerance or 0.0)


def _claim(paper: Paper, claim: Claim, found: Sequence[Measured]) -> ClaimRow:
    conditions = paper.conditions(claim)
    by_protocol: dict[str, list[Measured]] = defaultdict(list)
    for one in found:
        if one.values(claim.metric):
            by_protocol[one.protocol].append(one)
    own: list[ClaimResult] = []
    reduced: list[ClaimResult] = []
    departures: set[str] = set()
    for members in by_protocol.values():
        true = [m for m in members if m.entry.comparable and m.matches(conditions)]
        if true:
            own += judge(claim, true)
        elif results := judge(claim, members):
            reduced += results
            departures.update(members[0].departures(conditions))
            departures.update([] if members[0].entry.comparable else [CUT])
    results = own or reduced
    if not results:
        return ClaimRow(paper.name, claim, (), "", (), NOT_MEASURED)
    return ClaimRow(
        paper.name,
        claim,
        tuple(sorted(results, key=lambda r: (r.where, r.text))),
        "paper's" if own else "reduced",
        () if own else tuple(sorted(departures)),
        _together(claim, [result.verdict for result in results]),
    )


def _together(claim: Claim, verdicts: list[str]) -> str:
    if len(set(verdicts)) == 1:
        return verdicts[0]
    # "holds (one seed)" counts as evidence too, but is said.
    held = [verdict for verdict in verdicts if verdict.startswith("holds")]
    kinds = set(held)
    if held and (claim.holds == "somewhere" or len(held) == len(verdicts)):
        return "holds" if "holds" in kinds else held[0]
    one = " (one seed)" if kinds and "holds" not in kinds else ""
    return f"holds in {len(held) or 'none'} of {len(verdicts)}{one}"
