"""Judge one claim on the configurations of one protocol."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rbench.report.compare.arms import Arm, Line, Pair, lines, pairs
from rbench.report.compare.declaration import Claim, Requirement
from rbench.report.compare.select import Measured
from rbench.report.leaderboard.stats import NOISE, SHOWS, Difference, Sample, difference
from rbench.report.leaderboard.table_markdown import gap_text
from rbench.report.leaderboard.text import number

HOLDS, FAILS = "holds", "does not hold"
NOT_JUDGED = "not judged: "
AT_CHANCE = f"{NOT_JUDGED}at chance"
TOO_SHORT = f"{NOT_JUDGED}too short"
FEW_SEEDS = f"{NOT_JUDGED}too few seeds"
FEW_POINTS = f"{NOT_JUDGED}too few points"
MIXED = f"{NOT_JUDGED}runs differ in another option"
NO_METRIC = f"{NOT_JUDGED}unknown whether it learned"
NO_RATIO = f"{NOT_JUDGED}a value is not above 0"
STEADY = 0.8
"""A trend must have at least this rank correlation."""


def is_judged(verdict: str) -> bool:
    """Whether a verdict says something of the claim, not only why it cannot be judged."""
    return not verdict.startswith(NOT_JUDGED)


@dataclass(frozen=True)
class ClaimResult:
    """One piece of evidence: on what, what was found, and what it says."""

    where: str
    text: str
    verdict: str


@dataclass(frozen=True)
class Judge:
    """Judges claims of one paper.

    ``free`` names columns in which runs may differ, since they cannot change what a claim is
    about; ``requirement`` is what runs must show before the claim is judged on them.
    """

    claim: Claim
    requirement: Requirement | None = None
    free: tuple[str, ...] = ()

    def results(self, members: Sequence[Measured]) -> list[ClaimResult]:
        """Every result that these entries, all of one protocol, have to offer."""
        if self.claim.kind == "trend":
            found = lines(self.claim, self.claim.where, members, self.free)
            return [self._trend(line) for line in found if len(line.arms) > 1]
        if self.claim.kind == "slopes":
            return self._slopes(members)
        return [self._pair(pair) for pair in pairs(self.claim, members, self.free)]

    def _pair(self, pair: Pair) -> ClaimResult:
        where = _where(pair.above.measured, pair.key)
        above, below = pair.names
        names = f"{above} − {below}"
        if self.claim.below_metric:
            names = f"{pair.above.name}, {self.claim.metric} − {self.claim.below_metric}"
        if self.claim.minus:
            names = f"gap of {above} − gap of {below}"
        if pair.differ:
            return _mixed(where, names, pair.differ)
        a, b = pair.above.values, pair.below.values
        objection = self._objection([pair.above, pair.below])
        if self.claim.at_most is not None or self.claim.kind == "ratio":
            if min(*a.values(), *b.values()) <= 0:
                return ClaimResult(where, f"{names}: no ratio", objection or NO_RATIO)
            a, b = a.logarithm(), b.logarithm()
            names = names.replace(" − ", " / ")
        gap = difference(a, b)
        assert gap is not None
        verdict = objection or self._verdict(gap)
        return ClaimResult(where, f"{names}: {self._shown(gap, verdict)}", verdict)

    def _verdict(self, gap: Difference) -> str:
        claim = self.claim
        if claim.kind == "order":
            return _beyond(gap, claim.at_least or 0.0)
        if claim.kind == "ratio":
            low = -math.inf if claim.at_least is None else math.log(claim.at_least)
            high = math.inf if claim.at_most is None else math.log(claim.at_most)
            return _within(gap, low, high)
        margin = claim.margin if claim.at_most is None else math.log(claim.at_most)
        assert margin is not None
        return _within(gap, -margin, margin)

    def _shown(self, gap: Difference, verdict: str) -> str:
        """The difference, or the ratio, with its interval; what n could have shown."""
        if self.claim.at_most is None and self.claim.kind != "ratio":
            text, shown = gap_text(gap), gap.smallest
        else:
            text, shown = _ratio_text(gap), gap.smallest and math.exp(gap.smallest)
        if verdict == NOISE and shown is not None:
            text += self._hint(gap.n, number(shown))
        return text

    def _hint(self, n: int, smallest: str) -> str:
        """What ``n`` shows: of an order without a limit the difference, else how far beyond it."""
        claim = self.claim
        if claim.kind == "order" and not claim.at_least:
            return f" ({SHOWS.format(n=n, smallest=smallest)})"
        ratios = claim.at_most is not None or claim.kind in ("ratio", "slopes")
        what = "ratios a factor of" if ratios else "differences of"
        return f" (n = {n} shows {what} {smallest} or more beyond a limit)"

    def _trend(self, line: Line) -> ClaimResult:
        claim = self.claim
        arms = list(line.arms.values())
        where = _where(arms[0].measured, line.key)
        places = list(line.arms)
        column = str(claim.x).rpartition(".")[2]
        name = f"{column} {places[0]:g} to {places[-1]:g}"
        if line.differ:
            return _mixed(where, name, line.differ)
        means = [_mean(arm.values) for arm in arms]
        sign = 1 if claim.direction == "rises" else -1
        rho = sign * _spearman(places, means)
        gap = difference(arms[-1].values, arms[0].values)
        assert gap is not None
        verdict = FEW_POINTS if len(arms) < claim.points else self._objection(arms)
        if not verdict and gap.low is None and not claim.exact:
            verdict = FEW_SEEDS
        if not verdict:
            along = sign * gap.value > 0 and rho >= STEADY
            significant = claim.exact or gap.significant
            verdict = (HOLDS if along else FAILS) if significant else NOISE
        text = (
            f"{name}: {gap_text(gap)}, rank correlation {sign * rho:+.2f} over {len(arms)} points"
        )
        if verdict == NOISE:
            text += f" ({SHOWS.format(n=gap.n, smallest=number(gap.smallest))})"
        return ClaimResult(where, text, verdict)

    def _slopes(self, members: Sequence[Measured]) -> list[ClaimResult]:
        """Whether ``above`` rises more steeply: growth of the metric, in ratio, by step of x."""
        steep = {line.key: line for line in lines(self.claim, self.claim.above, members, self.free)}
        flat = {line.key: line for line in lines(self.claim, self.claim.below, members, self.free)}
        found = []
        for key in sorted(steep.keys() & flat.keys(), key=str):
            a, b = steep[key], flat[key]
            shared = sorted(a.arms.keys() & b.arms.keys())
            if len(shared) < 2:
                continue
            arms = [line.arms[x] for line in (a, b) for x in shared]
            first = a.arms[shared[0]]
            where = _where(first.measured, key)
            names = f"growth of {a.arms[shared[0]].name} / growth of {b.arms[shared[0]].name}"
            if a.differ or b.differ:
                found.append(_mixed(where, names, (*a.differ, *b.differ)))
                continue
            gap = difference(_growth(a, shared), _growth(b, shared))
            if gap is None:
                found.append(ClaimResult(where, f"{names}: no seed at every point", FEW_SEEDS))
                continue
            verdict = FEW_POINTS if len(shared) < self.claim.points else self._objection(arms)
            verdict = verdict or _beyond(gap, math.log(self.claim.at_least or 1.0))
            column = str(self.claim.x).rpartition(".")[2]
            shown = _ratio_text(gap)
            if verdict == NOISE and gap.smallest is not None:
                shown += self._hint(gap.n, number(math.exp(gap.smallest), 3))
            text = f"{names}, by step of {column}: {shown}"
            found.append(ClaimResult(where, text, verdict))
        return found

    def _objection(self, arms: Sequence[Arm]) -> str:
        """Why these arms cannot bear a judgment; empty where they can."""
        behind = [one for arm in arms for one in arm.behind]
        if (rule := self.requirement) is not None:
            means = [_mean(one.values(rule.metric)) for one in behind if one.values(rule.metric)]
            if len(means) < len(behind):
                return NO_METRIC
            if max(means) < rule.floor:
                at_chance = max(means) < rule.chance + rule.above_chance
                return AT_CHANCE if at_chance else TOO_SHORT
            if min(means) < rule.chance + rule.above_chance:
                return AT_CHANCE
        enough = 1 if self.claim.exact else self.claim.seeds
        return FEW_SEEDS if min(arm.values.size for arm in arms) < enough else ""


def _ratio_text(gap: Difference) -> str:
    """A difference of logarithms as a ratio with its interval: ``1.200 [1.100, 1.300]``."""
    text = number(math.exp(gap.value), 3)
    if gap.low is None or gap.high is None:
        return text
    return f"{text} [{number(math.exp(gap.low), 3)}, {number(math.exp(gap.high), 3)}]"


def _beyond(gap: Difference, margin: float) -> str:
    if gap.low is None or gap.high is None:
        return HOLDS if gap.value > margin else FAILS
    if gap.low > margin:
        return HOLDS
    return FAILS if gap.high < margin else NOISE


def _within(gap: Difference, low: float, high: float) -> str:
    """Two one-sided tests at 5 %: the 90 % interval lies inside the limits, or outside."""
    inner = gap.interval(0.90)
    if inner is None or gap.low is None or gap.high is None:
        return FEW_SEEDS
    if low < inner[0] and inner[1] < high:
        return HOLDS
    return FAILS if gap.high < low or gap.low > high else NOISE


def _growth(line: Line, places: Sequence[float]) -> Sample:
    """By seed, the least-squares slope of the metric's logarithm against x."""
    from scipy.stats import linregress

    seeds = set.intersection(*(set(line.arms[x].values) for x in places))
    found = Sample()
    for seed in sorted(seeds):
        values = [line.arms[x].values[seed] for x in places]
        if min(values) > 0:
            found[seed] = float(linregress(places, [math.log(v) for v in values]).slope)
    return found


def _spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Rank correlation; 0 where y does not vary."""
    from scipy.stats import spearmanr

    # Rounded: four of five in order are 0.7999999999999999 otherwise, below a limit of 0.8.
    return round(float(spearmanr(x, y).statistic), 12) if len(set(y)) > 1 else 0.0


def _mean(values: Sample) -> float:
    return math.fsum(values.values()) / len(values)


def _mixed(where: str, name: str, differ: Sequence[str]) -> ClaimResult:
    listed = ", ".join(dict.fromkeys(differ))
    return ClaimResult(where, f"{name}: the runs differ in {listed}", MIXED)


def _where(one: Measured, key: tuple[Any, ...]) -> str:
    parts = [one.protocol_name or one.protocol, *(str(part) for part in key if part is not None)]
    return ", ".join(part for part in parts if part)
