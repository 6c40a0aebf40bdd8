"""How far a mean may lie from a printed value, which configuration is compared, what n shows."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scipy.stats import t, ttest_ind_from_stats

from rbench.report.compare.declaration import Value
from rbench.report.compare.report import allowance
from rbench.report.leaderboard.stats import Summary
from tests.helpers.synthetic_records import record
from tests.report.test_compare import ORDER, made, paper

PRINTED = 90.0


def value(error: float | None, n: int, tolerance: float | None = None) -> Value:
    given = {"id": "a", "source": "Table 1", "metric": "top1", "value": PRINTED, "where": {}}
    return Value(**given, error=error, n=n, tolerance=tolerance)


def measured(n: int, std: float | None) -> Summary:
    return Summary(n, PRINTED, std, None if std is None else std / math.sqrt(n), PRINTED, PRINTED)


@pytest.mark.parametrize(("n", "std"), [(2, 0.3), (3, 0.4), (4, 0.2), (10, 1.5)])
@pytest.mark.parametrize(("their_n", "error"), [(2, 0.1), (4, 0.06), (4, 0.2), (30, 2.0)])
def test_the_allowance_is_where_welchs_test_has_5_percent(
    n: int, std: float, their_n: int, error: float
) -> None:
    allowed = allowance(value(error, their_n), measured(n, std))
    args = (PRINTED + allowed, std, n, PRINTED, error, their_n)
    assert ttest_ind_from_stats(*args, equal_var=False).pvalue == pytest.approx(0.05)


@pytest.mark.parametrize(("n", "their_n"), [(1, 4), (1, 2)])
def test_one_run_is_held_against_the_papers_spread(n: int, their_n: int) -> None:
    """The 95 % prediction interval of a further run."""
    allowed = allowance(value(0.2, their_n), measured(n, None))
    assert allowed == pytest.approx(t.ppf(0.975, their_n - 1) * 0.2 * math.sqrt(1 + 1 / their_n))


def test_a_value_of_one_run_is_held_against_the_measured_spread() -> None:
    allowed = allowance(value(None, 1), measured(4, 0.3))
    assert allowed == pytest.approx(t.ppf(0.975, 3) * 0.3 * math.sqrt(1 + 1 / 4))


def test_the_tolerance_counts_where_it_is_wider_or_no_spread_is_known() -> None:
    assert allowance(value(None, 1, 0.5), measured(1, None)) == 0.5
    assert allowance(value(None, 1), measured(1, None)) == 0.0
    assert allowance(value(0.01, 4, 0.5), measured(4, 0.01)) == 0.5
    assert allowance(value(0.0, 4, 0.5), measured(4, 0.0)) == 0.5
    assert allowance(value(2.0, 4, 0.5), measured(4, 2.0)) > 0.5


LIMIT: dict[str, Any] = {
    "id": "limit",
    "source": "Theorem 1",
    "metric": "top1",
    "value": 0.0,
    "tolerance": 5.0,
    "where": {"model": "net*"},
}


def test_of_a_limit_the_worst_configuration_decides() -> None:
    records = [record("net1", values={"top1": 1.0}), record("net2", values={"top1": 9.0})]
    (row,) = made(records, paper(value=[LIMIT | {"decides": "highest"}])).values
    assert (row.network, row.verdict) == ("net2", "differs")
    # Another protocol's configurations do not decide over the paper's own.
    near = {"protocol": {"model": "net1"}, "decides": "highest"}
    (row,) = made(records, paper(value=[LIMIT | near])).values
    assert (row.network, row.verdict) == ("net1", "agrees")


def test_without_a_declared_protocol_nothing_is_the_papers() -> None:
    records = [
        record("net1", freeze, seed, {"top1": top1 + seed})
        for freeze, top1 in (("spatial", 60.0), ("none", 50.0))
        for seed in (0, 1)
    ]
    made_here = made(records, paper(value=[LIMIT], claim=[ORDER]))
    assert made_here.values[0].protocol == made_here.claims[0].protocol == "not declared"
    assert made_here.claims[0].verdict == "holds"
    assert not made_here.paper_protocols
    declared = {"protocol": {"training.epochs": 6}}
    made_here = made(records, paper(value=[LIMIT | declared], claim=[ORDER | declared]))
    assert made_here.values[0].protocol == made_here.claims[0].protocol == "paper's"
    assert len(made_here.paper_protocols) == 1


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"kind": "order"}, "shows differences from "),
        ({"kind": "order", "at_least": 5.0}, "shows differences of "),
        ({"kind": "ratio", "at_least": 1.02}, "shows ratios a factor of "),
    ],
)
def test_within_the_noise_says_how_far_from_its_limit_a_claim_shows(
    limits: dict[str, Any], said: str
) -> None:
    gaps = {"order": (-3.0, 0.0, 3.0), "ratio": (-3.0, 1.0, 6.0)}[limits["kind"]]
    shift = limits.get("at_least", 0.0) if limits["kind"] == "order" else 0.0
    records = [
        record("net1", freeze, seed, {"top1": 50.0 + (gap + shift if freeze == "spatial" else 0.0)})
        for freeze in ("spatial", "none")
        for seed, gap in enumerate(gaps)
    ]
    (row,) = made(records, paper(claim=[ORDER | limits])).claims
    assert row.verdict == "within the noise"
    assert said in row.results[0].text
