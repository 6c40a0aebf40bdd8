from __future__ import annotations

import math

import pytest
import torch
from rbench_plugins.theory.angles import angle, wilson
from scipy.stats import binomtest

from rbench import UserError


def test_angle_by_hand_and_where_arccos_fails() -> None:
    a = torch.tensor([[1.0, 0.0]])
    assert float(angle(a, torch.tensor([[1.0, 1.0]]))) == pytest.approx(math.pi / 4, rel=1e-12)
    tiny = torch.tensor([[1.0, 1e-9]], dtype=torch.float64)
    assert float(angle(a, tiny)) == pytest.approx(1e-9, rel=1e-6)
    assert float(angle(a, -a)) == pytest.approx(math.pi)
    assert angle(torch.rand(5, 3, 4), torch.rand(3, 4)).shape == (5,)
    with pytest.raises(UserError, match="zero everywhere"):
        angle(a, torch.zeros(1, 2))


@pytest.mark.parametrize(("hits", "n"), [(0, 50), (3, 50), (50, 50), (7, 9), (0, 1)])
def test_wilson_against_scipy(hits: int, n: int) -> None:
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    got = wilson(hits, n)
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_rate_needs_an_observation() -> None:
    with pytest.raises(UserError, match="one observation"):
        wilson(0, 0)
