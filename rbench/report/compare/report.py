"""Declarations and tables -> verdicts: each reported value and each claim of a paper."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from rbench.report.compare.arms import ALWAYS_FREE, disagreement
from rbench.report.compare.claims import HOLDS, ClaimResult, Judge, is_judged
from rbench.report.compare.declaration import Claim, Paper, Value
from rbench.report.compare.select import Measured, Pool, measured
from rbench.report.leaderboard.entries import Table
from rbench.report.leaderboard.stats import NOISE, Sample, Summary, summarize, t_quantile
from rbench.spec.columns import canonical_name
from rbench.spec.conditions import Where

AGREES, DIFFERS = "agrees", "differs"
CUT = "fewer training images"
UNDECLARED = "not declared"
"""The protocol of what a paper's file gives no conditions for."""
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
    """Of the runs that the verdict rests on."""
    verdict: str
    by_protocol: tuple[tuple[str, str], ...] = ()
    """Name and verdict of each protocol on which the claim could be judged."""


@dataclass
class Report:
    """Everything that was compared."""

    papers: list[Paper]
    values: list[ValueRow] = field(default_factory=list)
    claims: list[ClaimRow] = field(default_factory=list)
    paper_protocols: set[str] = field(default_factory=set)
    """Digests of the protocols that are a paper's own for one of its values or claims."""


def report(tables: Sequence[Table], papers: Sequence[Paper]) -> Report:
    """Hold every value and claim of ``papers`` against ``tables``."""
    found = Pool(measured(tables))
    made = Report(list(papers))
    for paper in papers:
        made.values += [_value(paper, value, found, made.paper_protocols) for value in paper.value]
        for claim in paper.claim:
            able = found.matching_any(*claim.sides)
            made.claims.append(_claim(paper, claim, able, made.paper_protocols))
    return made


def _value(paper: Paper, value: Value, pool: Pool, protocols: set[str]) -> ValueRow:
    able = {m: m.values(value.metric) for m in pool.matching_any(value.where)}
    if value.minus:
        others = pool.matching_any({**value.where, **value.minus})
        able = {m: _gaps(value, m, others) for m in able}
    able = {m: values for m, values in able.items() if values}
    if not able:
        return ValueRow(paper.name, value, None, "", None, "", (), NOT_MEASURED)
    conditions = paper.conditions(value)

    def merit(one: Measured) -> tuple[int, bool, float, int, str]:
        return (
            len(one.departures(conditions)),
            not one.entry.comparable,
            -fmean(able[one].values()) if value.decides == "highest" else 0.0,
            -len(able[one]),
            one.entry.configuration,
        )

    best = min(able, key=merit)
    departures = best.departures(conditions)
    if not best.entry.comparable:
        departures.append(CUT)
    summary = summarize(list(able[best].values()))
    assert summary is not None
    gap = _distance(value, summary.mean)
    verdict = NOT_COMPARABLE
    if not departures:
        verdict = AGREES if abs(gap) <= allowance(value, summary) else DIFFERS
        if conditions:
            protocols.add(best.protocol)
    return ValueRow(
        paper.name,
        value,
        summary,
        best.entry.model,
        gap,
        _protocol(conditions, departures),
        tuple(departures),
        verdict,
    )


def _gaps(value: Value, one: Measured, others: Sequence[Measured]) -> Sample:
    """The differences to the configuration that ``minus`` names in place of this one's.

    It is of the same protocol; of several, it is the one with most seeds in common.
    """
    varied = ALWAYS_FREE | {canonical_name(column) for column in value.minus}
    able = [
        (len(gaps), m.entry.configuration, gaps)
        for m in others
        if m.protocol == one.protocol
        and not disagreement(one, m, varied)
        and (gaps := one.gaps(m, value.metric))
    ]
    return max(able, key=lambda found: found[:2])[2] if able else Sample()


def _distance(value: Value, mean: float) -> float:
    """How far a mean lies from the printed value, or from the printed range."""
    if value.at_most is None:
        return mean - value.value
    return min(mean - value.value, 0.0) + max(mean - value.at_most, 0.0)


def allowance(value: Value, summary: Summary) -> float:
    """How far a measured mean may lie from the reported one.

    The 95 % interval of the difference, the paper's error read as the standard deviation of its n
    runs: Welch's where both spreads are known; where one is, it is taken for the other's, too. The
    declared tolerance where that is wider or no spread is known.
    """
    tolerance = value.tolerance or 0.0
    theirs = value.error if value.n > 1 else None
    if summary.std is not None and theirs is not None:
        own, other = summary.std**2 / summary.n, theirs**2 / value.n
        if not own + other:
            return tolerance
        freedom = (own + other) ** 2 / (own**2 / (summary.n - 1) + other**2 / (value.n - 1))
        return max(t_quantile(freedom) * math.sqrt(own + other), tolerance)
    std, freedom = (summary.std, summary.n - 1) if theirs is None else (theirs, value.n - 1)
    if std is None:
        return tolerance
    return max(t_quantile(freedom) * std * math.sqrt(1 / summary.n + 1 / value.n), tolerance)


def _claim(paper: Paper, claim: Claim, found: Sequence[Measured], protocols: set[str]) -> ClaimRow:
    conditions = paper.conditions(claim)
    by_protocol: dict[str, list[Measured]] = defaultdict(list)
    for one in found:
        if one.values(claim.metric):
            by_protocol[one.protocol].append(one)
    judge = Judge(claim, paper.requirement(claim), tuple(paper.free))
    evidence: list[_Evidence] = []
    for members in by_protocol.values():
        name = members[0].protocol_name
        true = [m for m in members if m.entry.comparable and m.matches(conditions)]
        if found_here := judge.results(true):
            evidence.append(_Evidence(name, found_here, set()))
            if conditions:
                protocols.update(m.protocol for m in true)
        elif found_here := judge.results(members):
            departures = {d for m in members for d in m.departures(conditions)}
            departures.update([CUT] if any(not m.entry.comparable for m in members) else [])
            evidence.append(_Evidence(name, found_here, departures))
    evidence = [one for one in evidence if not one.departures] or evidence
    # First what could be judged, and of that the runs that are nearest to the paper's protocol.
    evidence.sort(key=lambda one: (len(one.departures), one.name))
    results = [
        result
        for one in evidence
        for result in sorted(one.results, key=lambda r: (r.where, r.text))
    ]
    if not results:
        return ClaimRow(paper.name, claim, (), "", (), NOT_MEASURED)
    bearing = [one for one in evidence if one.judged] or evidence
    departures = set().union(*(one.departures for one in bearing))
    return ClaimRow(
        paper.name,
        claim,
        tuple(sorted(results, key=lambda r: not is_judged(r.verdict))),
        _protocol(conditions, departures),
        tuple(sorted(departures)),
        _together(claim, results),
        tuple((one.name, _together(claim, one.results)) for one in bearing),
    )


@dataclass(frozen=True)
class _Evidence:
    """The results of one protocol, and how it departs from the paper's."""

    name: str
    results: list[ClaimResult]
    departures: set[str]

    @property
    def judged(self) -> bool:
        """Whether a result says something of the claim."""
        return any(is_judged(result.verdict) for result in self.results)


def _protocol(conditions: Where, departures: Iterable[str]) -> str:
    if not conditions:
        return UNDECLARED
    kinds = {departure.split()[0] == "dataset" for departure in departures}
    if not kinds:
        return "paper's"
    return "paper's, other data" if kinds == {True} else "reduced"


def _together(claim: Claim, results: Iterable[ClaimResult]) -> str:
    """One verdict for all results; what could not be judged counts where nothing else is there."""
    verdicts = [result.verdict for result in results]
    judged = [verdict for verdict in verdicts if is_judged(verdict)]
    if not judged:
        return max(sorted(set(verdicts)), key=verdicts.count)
    if len(set(judged)) == 1:
        return judged[0]
    held = judged.count(HOLDS)
    if held and claim.holds == "somewhere":
        return HOLDS
    text = f"holds in {held or 'none'} of {len(judged)}"
    unsure = judged.count(NOISE)
    return f"{text} ({unsure} {NOISE})" if unsure else text
