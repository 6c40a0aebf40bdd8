"""Numbers as people write them."""

from __future__ import annotations

import pytest

from rbench.report.leaderboard.stats import summarize
from rbench.report.leaderboard.text import count, mean_and_spread, number, quantity


@pytest.mark.parametrize(
    ("values", "unit", "shown"),
    [
        ([98.8, 99.0], "%", "98.90 ± 0.14"),
        ([46.9, 46.9], "%", "46.90 ± 0.00"),
        ([46.9, 46.904], "%", "46.90 ± 0.003"),
        ([46.9], "%", "46.90"),
        ([2_089_314, 2_089_314], "", "2.09 M"),
        ([4778, 4778], "", "4,778"),
        ([81_626_368.0] * 3, "FLOP/image", "81.6 MFLOP"),
        ([1_651_000_000, 1_806_000_000], "bytes", "1.73 ± 0.11 GB"),
        ([12_300_000, 12_300_000, 12_300_100], "", "12.3 M ± 57.74"),
        ([0.95421, 0.95422], "", "0.9542 ± 7e−6"),
        ([0.9955, 0.9959], "", "0.9957 ± 0.0003"),
        ([0.5, 0.7], "", "0.60 ± 0.14"),
        ([], "", "–"),
    ],
)
def test_means_with_their_spread(values: list[float], unit: str, shown: str) -> None:
    assert mean_and_spread(summarize(values), unit) == shown


def test_quantities_have_their_unit_once() -> None:
    assert quantity(summarize([81_626_368.0]), "FLOP/image") == "81.6 MFLOP/image"
    assert quantity(summarize([512.0]), "bytes") == "512 bytes"
    assert quantity(summarize([98.8, 99.0]), "%") == "98.90 ± 0.14 %"
    assert quantity(summarize([0.5]), "") == "0.5"


def test_single_numbers() -> None:
    assert [count(value) for value in (0, 999, 1000, 9999, 10_000, 999_999, 2_089_314, 1e12)] == [
        *("0", "999", "1,000", "9,999", "10 k", "1 M", "2.09 M", "1 T"),
    ]
    assert number(-0.0000123) == "−1.23e−5"
    assert number(None) == "–"
