"""How one claim is judged: beyond the noise or not, on enough points, on the runs to be taken."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from rbench.records.record import Record
from rbench.report.compare.report import ClaimRow
from tests.helpers.synthetic_records import digest, record
from tests.report.test_compare import (
    EQUIVALENCE,
    ORDER,
    TREND,
    TWO_GAPS,
    line,
    made,
    paper,
    runs,
    two_gaps,
)

NOISY = (0.9, -1.0, 1.1, -0.2)
"""Seeds around a mean of 0.2 that they do not tell from 0."""
RULE = {"metric": "top1", "chance": 10, "above_chance": 5, "floor": 80, "source": "x"}
SLOPES = {**ORDER, "kind": "slopes", "x": "model.expansion", "each": []}


def judged(records: list[Record], claim: dict[str, Any], **declared: Any) -> ClaimRow:
    (row,) = made(records, paper(claim=[claim], **declared)).claims
    return row


def frozen(values: list[float], **fields: Any) -> list[Record]:
    return [
        record("a", "spatial", seed, {"top1": value}, **fields) for seed, value in enumerate(values)
    ]


def half_interval(gaps: np.ndarray) -> float:
    """Half of Student's 95 % interval of a mean."""
    return float(t.ppf(0.975, len(gaps) - 1) * np.std(gaps, ddof=1) / len(gaps) ** 0.5)


@pytest.mark.parametrize("side", [1, -1], ids=["above", "below"])
@pytest.mark.parametrize("margin", [0.0, 2.0])
def test_a_mean_on_either_side_of_the_margin_is_noise_where_the_interval_reaches_over_it(
    margin: float, side: int
) -> None:
    records = [*runs("a", 90.0), *frozen([90 + margin + side * gap for gap in NOISY])]
    assert judged(records, {**ORDER, "at_least": margin}).verdict == "within the noise"


def test_a_trend_is_judged_on_as_many_points_as_the_claim_asks_for() -> None:
    few = "not judged: too few points"
    assert judged(line([80, 90]), TREND).verdict == few
    assert judged(line([80, 90]), {**TREND, "points": 2}).verdict == "holds"
    assert judged(line([80, 85, 90]), {**TREND, "points": 4}).verdict == few


def test_slopes_are_compared_over_as_many_shared_points_as_the_claim_asks_for() -> None:
    """The steeper side has three points, the other two of them."""
    records = [*line([10, 20, 40]), *line([100, 141], "none")]
    assert judged(records, SLOPES).verdict == "not judged: too few points"
    assert judged(records, {**SLOPES, "points": 2}).verdict == "holds"


@pytest.mark.parametrize("lacking", [["none"], ["spatial"], ["none", "spatial"]], ids="+".join)
def test_arms_without_the_metric_that_shows_learning_are_not_judged(lacking: list[str]) -> None:
    def arm(freeze: str, top5: float) -> list[Record]:
        learned = {} if freeze in lacking else {"top1": 90.0}
        return [
            record("a", freeze, seed, {"top5": top5 + seed / 10, **learned}, protocol="one")
            for seed in range(4)
        ]

    claim = {**ORDER, "metric": "top5", "requires": "r"}
    row = judged([*arm("none", 97.0), *arm("spatial", 98.0)], claim, requires={"r": RULE})
    assert row.verdict == "not judged: unknown whether it learned"


@pytest.mark.parametrize("value", [0.0, -1.0])
@pytest.mark.parametrize("place", [0, 4], ids=["below", "above"])
def test_values_that_are_not_above_zero_have_no_ratio(place: int, value: float) -> None:
    records = [*runs("a", 90.0), *runs("a", 90.0, "spatial")]
    records[place].metrics[0].value = value
    row = judged(records, {**EQUIVALENCE, "at_most": 1.5})
    assert row.verdict == "not judged: a value is not above 0"
    (one,) = judged([r for r in records if r.seed == 0], {**EQUIVALENCE, "at_most": 1.5}).results
    assert one.verdict == "not judged: too few seeds"


def test_a_ratio_in_the_noise_says_which_ratio_n_could_have_shown() -> None:
    records = [*runs("a", 90.0), *frozen([90 + 20 * gap for gap in NOISY])]
    row = judged(records, {**ORDER, "kind": "ratio", "at_least": 1.0})
    assert row.verdict == "within the noise"
    learnable = 90 + np.array([-0.2, -0.1, 0.1, 0.2])
    half = half_interval(np.log(90 + 20 * np.array(NOISY)) - np.log(learnable))
    shown = f"(n = 4 shows ratios a factor of {math.exp(half):.4g} or more beyond a limit)"
    assert shown in row.results[0].text


def test_slopes_in_the_noise_say_which_ratio_n_could_have_shown() -> None:
    expansions = (1, 2, 4)
    tilted = {e: [50 * (1 + 0.02 * gap * e) for gap in NOISY] for e in expansions}
    records = [one for e in expansions for one in frozen(tilted[e], options={"expansion": e})]
    flat = [one for e in expansions for one in runs("a", 50.0, options={"expansion": e})]
    row = judged([*records, *flat], SLOPES)
    assert row.verdict == "within the noise"
    slopes = [
        np.polyfit(expansions, np.log([tilted[e][s] for e in expansions]), 1) for s in range(4)
    ]
    half = half_interval(np.array(slopes)[:, 0])
    shown = f"(n = 4 shows ratios a factor of {math.exp(half):.3f} or more beyond a limit)"
    assert shown in row.results[0].text


NAMES = pytest.mark.parametrize(("more", "fewer"), [("net_a", "net_b"), ("net_b", "net_a")])
"""The names of two networks that are one; of the first there are more runs."""


@NAMES
def test_of_a_network_under_two_names_the_pair_with_most_seeds_is_judged(
    more: str, fewer: str
) -> None:
    records = [*runs(more, 90.0), *runs(more, 91.0, "spatial")]
    records += [*runs(fewer, 90.0)[:2], *runs(fewer, 89.0, "spatial")[:2]]
    row = judged(records, {**ORDER, "each": []})
    (result,) = row.results
    assert result.text.startswith(f"{more} (spatial frozen) − {more}: +1")
    assert row.verdict == "holds"


@NAMES
def test_of_a_network_under_two_names_the_points_with_most_seeds_make_the_trend(
    more: str, fewer: str
) -> None:
    """By the fewer runs the metric falls."""
    records = [
        one
        for e, rising, falling in ((1, 80.0, 90.0), (2, 85.0, 85.0), (4, 90.0, 80.0))
        for one in (
            *runs(more, rising, "spatial", options={"expansion": e}),
            *runs(fewer, falling, "spatial", options={"expansion": e})[:2],
        )
    ]
    assert judged(records, TREND).verdict == "holds"


@NAMES
def test_a_gap_is_taken_to_the_reference_with_most_seeds(more: str, fewer: str) -> None:
    """To the reference of fewer runs the gap falls with depth."""
    records = [
        one
        for depth in (1, 2, 3)
        for one in (
            *runs("flat", 80.0, options={"depth": depth}),
            *runs(more, 90.0 - 5 * depth, options={"depth": depth}),
            *runs(fewer, 90.0 + 5 * depth, options={"depth": depth})[:2],
        )
    ]
    claim = {**TREND, "where": {"model": "flat"}, "minus": {"model": "net_*"}, "x": "model.depth"}
    assert judged(records, claim).verdict == "holds"


def test_a_reference_without_a_seed_in_common_takes_no_gap_away() -> None:
    def arms(depth: int) -> list[Record]:
        other = runs("net_b", 50.0, options={"depth": depth})
        for one in other:
            one.seed = one.resolved["seed"] = one.seed + 10
            one.digest = digest(one.resolved)
        return [
            *runs("flat", 80.0, options={"depth": depth})[:2],
            *runs("net_a", 90.0 - 5 * depth, options={"depth": depth})[:2],
            *other,
        ]

    records = [one for depth in (1, 2, 3) for one in arms(depth)]
    claim = {**TREND, "where": {"model": "flat"}, "minus": {"model": "net_*"}, "x": "model.depth"}
    assert judged(records, claim).verdict == "holds"


def test_a_trend_of_one_seed_is_not_judged() -> None:
    records = [
        one
        for e, top1 in ((1, 80.0), (2, 85.0), (4, 90.0))
        for one in runs("a", top1, "spatial", options={"expansion": e})[:1]
    ]
    row = judged(records, {**TREND, "seeds": 1})
    assert row.verdict == "not judged: too few seeds"
    assert judged(records, {**TREND, "exact": True}).verdict == "holds"


@pytest.mark.parametrize(
    ("reference", "verdict"), [(50.0, "holds"), (11.0, "not judged: at chance")]
)
def test_the_reference_of_a_gap_must_have_learned_as_the_arms_themselves(
    reference: float, verdict: str
) -> None:
    claim = {**TWO_GAPS, "requires": "r"}
    assert judged(two_gaps(reference), claim, requires={"r": RULE}).verdict == verdict
