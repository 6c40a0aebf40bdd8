"""The table at the end of a run."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from rbench.cli.summary import _number, _rate
from rbench.records.record import MetricValue
from tests.helpers.synthetic_records import record


@pytest.mark.parametrize(("value", "hits"), [(0.0, 0), (100.0, 360)])
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_share_at_an_end_has_wilsons_interval(value: float, hits: int, seeds: int) -> None:
    metric = MetricValue(
        name="top5",
        value=value,
        unit="%",
        n=360,
        uncertainty=0.0,
        uncertainty_kind="binomial standard error over images",
    )
    records = [record(seed=seed) for seed in range(seeds)]
    for one in records:
        one.metrics = [metric]
    shown, over = _number(metric, records)
    interval = binomtest(hits, 360).proportion_ci(0.95, method="wilson")
    assert shown == f"{value:.4g} [{100 * interval.low:.3g}, {100 * interval.high:.3g}] %"
    assert "Wilson" in over
    assert "±" not in shown


@pytest.mark.parametrize(
    ("rate", "shown"), [(1234.4, "1,234"), (49.6, "50"), (7.12, "7.1"), (0.0934, "0.093")]
)
def test_a_slow_rate_is_no_zero(rate: float, shown: str) -> None:
    assert _rate(rate) == f"{shown} images/s"
