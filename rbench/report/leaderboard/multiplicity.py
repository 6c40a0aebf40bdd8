"""Many comparisons in one table: adjusted p values, and intervals of ranks.

Holm's step-down procedure (S. Holm, Scandinavian Journal of Statistics 6, 1979) holds the
probability of any false rejection among a table's comparisons at 5 %. Intervals of ranks follow
from it (M. Mogstad, J. Romano, A. Shaikh, D. Wilhelm, Review of Economic Studies 91, 2024): of K
rows, a row's rank is at least 1 plus the number of rows that are better than it after Holm's
correction over all K (K - 1) / 2 pairs, and at most K minus the number of rows that it is better
than. With 95 % confidence all ranks of a table are in their intervals together. statsmodels has
Holm's procedure too; importing it takes a second, so that it is the tests' reference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from rbench.report.leaderboard.stats import CONFIDENCE, Sample

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

LEVEL = 1 - CONFIDENCE
MOST_RANKED = 500
"""Rows of a table whose ranks get intervals: the number of pairs grows with the square."""


@dataclass(frozen=True)
class Comparisons:
    """The comparisons of a table: how many, how many are beyond the noise, and after Holm."""

    count: int
    found: int
    left: int

    def __str__(self) -> str:
        if not self.count:
            return ""
        many = "comparison" if self.count == 1 else "comparisons"
        return (
            f"{self.count} {many} with controls, of which chance alone would put "
            f"{LEVEL * self.count:.2g} beyond the noise: {self.found} "
            f"{'is' if self.found == 1 else 'are'}, {self.left} after Holm's correction."
        )


def holm(values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given: reject where they are at most 0.05."""
    import numpy

    if not values:
        return []
    given = numpy.asarray(values, dtype=float)
    order = numpy.argsort(given, kind="stable")
    factors = len(given) - numpy.arange(len(given))
    stepped = numpy.minimum(numpy.maximum.accumulate(factors * given[order]), 1.0)
    adjusted = numpy.empty_like(given)
    adjusted[order] = stepped
    return [float(value) for value in adjusted]


def rank_intervals(
    samples: Sequence[Sample], higher_is_better: bool
) -> list[tuple[int, int]] | None:
    """Lowest and highest rank of each sample; None for too many of them, or nothing to test."""
    import numpy

    count = len(samples)
    if not 2 <= count <= MOST_RANKED:
        return None
    p = pairwise(samples)
    upper = numpy.triu_indices(count, 1)
    tested = ~numpy.isnan(p[upper])
    if not tested.any():
        return None
    adjusted = numpy.ones(len(upper[0]))
    adjusted[tested] = holm(p[upper][tested].tolist())
    differ = numpy.zeros((count, count), dtype=bool)
    differ[upper] = adjusted <= LEVEL
    differ |= differ.T
    means = numpy.array([_mean(sample) for sample in samples])
    above = means[:, None] > means[None, :] if higher_is_better else means[:, None] < means[None, :]
    better = (differ & above).sum(axis=1)
    worse = (differ & above.T).sum(axis=1)
    return [(1 + int(w), count - int(b)) for w, b in zip(worse, better, strict=True)]


def pairwise(samples: Sequence[Sample]) -> NDArray[float64]:
    """The two-sided p of every pair, (K, K), by the tests of :func:`stats.difference`.

    NaN where a sample of one value leaves nothing to test.
    """
    import numpy
    from scipy.special import stdtr

    count = len(samples)
    summaries = [sample.summary() for sample in samples]
    n = numpy.array([s.n if s else 0 for s in summaries], dtype=float)
    sem = numpy.array([numpy.nan if s is None or s.sem is None else s.sem for s in summaries])
    mean = numpy.array([numpy.nan if s is None else s.mean for s in summaries])
    p = numpy.full((count, count), numpy.nan)
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, sample in enumerate(samples):
        groups[tuple(sorted(sample))].append(place)

    def two_sided(
        value: NDArray[float64], error: NDArray[float64], freedom: NDArray[float64] | float
    ) -> NDArray[float64]:
        with numpy.errstate(divide="ignore", invalid="ignore"):
            found = 2 * stdtr(freedom, -numpy.abs(value / error))
        return numpy.where(error == 0, numpy.where(value == 0, 1.0, 0.0), found)

    for place in range(count):
        with numpy.errstate(divide="ignore", invalid="ignore"):
            error = numpy.hypot(sem[place], sem)
            one = (sem[place] / error) ** 4 / (n[place] - 1)
            freedom = 1 / (one + (sem / error) ** 4 / (n - 1))
        p[place] = two_sided(mean[place] - mean, error, freedom)
    for (some, members), (more, others) in product(groups.items(), repeat=2):
        shared = sorted(set(some) & set(more))
        if len(shared) < 2:
            continue
        first, second = (
            numpy.array([[samples[place][seed] for seed in shared] for place in places])
            for places in (members, others)
        )
        for row, place in enumerate(members):
            gaps = first[row] - second
            error = gaps.std(axis=1, ddof=1) / len(shared) ** 0.5
            same = (gaps == gaps[:, :1]).all(axis=1)
            p[place, others] = two_sided(
                gaps.mean(axis=1), numpy.where(same, 0.0, error), len(shared) - 1
            )
    numpy.fill_diagonal(p, numpy.nan)
    return p


def _mean(sample: Sample) -> float:
    summary = sample.summary()
    return float("nan") if summary is None else summary.mean
