"""Means, spreads and differences over seeds. Sums are exactly rounded, in any order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from rbench.records.record import over_networks

if TYPE_CHECKING:
    from rbench.records.record import MetricValue
    from rbench.report.leaderboard.rows import Value

CONFIDENCE = 0.95
NOISE = "within the noise"
ONE_SEED = "one seed: cannot tell"
SHOWS = "n = {n} shows differences from {smallest} on"


@dataclass(frozen=True, slots=True)
class Summary:
    """A metric over seeds. ``std`` has ddof 1; ``std`` and ``sem`` are None for one seed."""

    n: int
    mean: float
    std: float | None
    sem: float | None
    low: float
    high: float
    ends: tuple[float, float] | None = None
    """Wilson's 95 % interval of a share that is 0 or 100 % in every seed."""


def wilson_ends(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval, in percent, of a share of ``n`` images that is 0 or 100 %.

    There the binomial standard error is zero, which says nothing about the uncertainty.
    """
    from scipy.stats import binomtest

    found = binomtest(n if share else 0, n).proportion_ci(CONFIDENCE, method="wilson")
    return 100 * float(found.low), 100 * float(found.high)


def within_run(metric: MetricValue | Value) -> Summary | None:
    """The spread over the networks that a single record measured; None where it has none."""
    n, mean, std = metric.n, metric.value, metric.uncertainty
    if n < 2 or mean is None or std is None:
        return None
    if not over_networks(metric.over, metric.uncertainty_kind):
        return None
    return Summary(n, mean, std, std / math.sqrt(n), mean, mean)


class Sample(dict[int, float]):
    """A metric's values by seed.

    ``within_run`` is the spread over the networks that a single record measured, such as P1's
    thirty: with one seed it stands for the spread that differences are held against.
    """

    within_run: Summary | None = None

    def summary(self) -> Summary | None:
        """Over the seeds, or over the networks of the only one; None for no value."""
        if len(self) == 1 and self.within_run:
            return self.within_run
        return summarize(list(self.values()))

    @property
    def size(self) -> int:
        """Independent values: seeds, or the networks of the only one."""
        return self.within_run.n if len(self) == 1 and self.within_run else len(self)

    def logarithm(self) -> Sample:
        """The natural logarithms, of a spread over networks to first order.

        ValueError where a value is not above 0.
        """
        logs = Sample({seed: math.log(value) for seed, value in self.items()})
        if (one := self.within_run) is not None and one.std is not None and one.sem is not None:
            mean = math.log(one.mean)
            logs.within_run = Summary(
                one.n, mean, one.std / one.mean, one.sem / one.mean, mean, mean
            )
        return logs


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of a minus mean of b with its 95 % confidence interval.

    ``paired``: over the seeds that both have (Student); otherwise Welch's interval. ``n`` is the
    number of pairs, or the smaller of the two samples. ``low``, ``high`` and ``p`` are None
    where one of the samples has one value only.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    n: int
    paired: bool
    sem: float | None = None
    freedom: float | None = None

    def interval(self, confidence: float) -> tuple[float, float] | None:
        """The confidence interval of another level; None where there is no spread."""
        if self.sem is None or self.freedom is None:
            return None
        if self.sem == 0:
            return self.value, self.value
        from scipy.stats import t

        low, high = t.interval(confidence, self.freedom, self.value, self.sem)
        return float(low), float(high)

    @property
    def smallest(self) -> float | None:
        """The smallest difference that the interval would have told from zero."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def significant(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    def verdict(self, higher_is_better: bool | None, places: int | None = None) -> str:
        """:meth:`word`, and within the noise the smallest difference that n could have shown."""
        word = self.word(higher_is_better)
        if word != NOISE or self.smallest is None:
            return word
        shown = f"{self.smallest:.{places}f}" if places is not None else f"{self.smallest:.3g}"
        return f"{word} ({SHOWS.format(n=self.n, smallest=shown)})"

    def word(self, higher_is_better: bool | None) -> str:
        """The difference in plain words."""
        if self.low is None:
            return ONE_SEED
        if not self.significant:
            return "no difference" if self.low == self.high == 0 else NOISE
        if higher_is_better is None:
            return "higher" if self.value > 0 else "lower"
        return "better" if (self.value > 0) == higher_is_better else "worse"


def summarize(values: Sequence[float]) -> Summary | None:
    """Mean, std (ddof 1) and SEM; None for no value."""
    n = len(values)
    if not n:
        return None
    mean = math.fsum(values) / n
    low, high = min(values), max(values)
    if low == high:
        mean = low
    if n == 1:
        return Summary(1, mean, None, None, low, high)
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    return Summary(n, mean, std, std / math.sqrt(n), low, high)


def difference(a: Mapping[int, float], b: Mapping[int, float]) -> Difference | None:
    """Mean of ``a`` minus mean of ``b``, each a value by seed; None where one is empty.

    Paired over the seeds that both have, where these are two or more: the others do not count, so
    that a run that is still missing on one side does not change the test. Welch's test otherwise,
    over the networks of a :class:`Sample` of one seed where it knows their spread.
    """
    shared = sorted(a.keys() & b.keys())
    if len(shared) > 1:
        gaps = summarize([a[seed] - b[seed] for seed in shared])
        assert gaps is not None
        assert gaps.sem is not None
        return _interval(gaps.mean, gaps.sem, gaps.n - 1, gaps.n, True)
    first, second = _summary(a), _summary(b)
    if first is None or second is None:
        return None
    value = first.mean - second.mean
    if first.sem is None or second.sem is None:
        return Difference(value, None, None, None, min(first.n, second.n), False)
    sem = math.hypot(first.sem, second.sem)
    freedom = float(first.n + second.n - 2)
    if sem > 0:
        one = (first.sem / sem) ** 4 / (first.n - 1)
        two = (second.sem / sem) ** 4 / (second.n - 1)
        freedom = 1 / (one + two)
    return _interval(value, sem, freedom, min(first.n, second.n), False)


def _summary(values: Mapping[int, float]) -> Summary | None:
    return values.summary() if isinstance(values, Sample) else summarize(list(values.values()))


def _interval(value: float, sem: float, freedom: float, n: int, paired: bool) -> Difference:
    if sem == 0:
        p = 1.0 if value == 0 else 0.0
        return Difference(value, value, value, p, n, paired, 0.0, freedom)
    half = t_quantile(freedom) * sem
    from scipy.special import stdtr

    p = float(2 * stdtr(freedom, -abs(value / sem)))
    return Difference(value, value - half, value + half, p, n, paired, sem, freedom)


@lru_cache(maxsize=4096)
def t_quantile(freedom: float) -> float:
    """Two-sided 95 % quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + CONFIDENCE / 2))
