"""Zero insertion against a Kronecker product; distributions against scipy's moments."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from rbench_plugins.layers.distribution import Distribution, by_scale, by_std
from rbench_plugins.layers.zero_insertion import zero_insertion
from scipy import stats

from rbench import UserError, generator


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_zero_insertion_is_a_kronecker_product(factor: int) -> None:
    maps = torch.rand(2, 3, 4, 5)
    corner = torch.zeros(factor, factor)
    corner[0, 0] = 1
    expected = torch.kron(maps, corner)
    assert torch.equal(zero_insertion(maps, factor), expected)
    last = maps.contiguous(memory_format=torch.channels_last)
    inserted = zero_insertion(last, factor)
    assert torch.equal(inserted, expected)
    assert inserted.is_contiguous(memory_format=torch.channels_last)
    larger = zero_insertion(maps, factor, (15, 16))
    assert torch.equal(larger[..., : 4 * factor, : 5 * factor], expected)
    assert larger.sum() == pytest.approx(float(maps.sum()), rel=1e-5)
    assert torch.equal(zero_insertion(maps[0, 0], factor), expected[0, 0])


@pytest.mark.parametrize("name", get_args(Distribution))
def test_distributions_by_their_standard_deviation(name: Distribution) -> None:
    initializer, options = by_std(name, 0.3)
    weight = torch.empty(400, 50, 3, 3)
    initializer.draw(weight, generator(0, "test", name), options)
    n = weight.numel()
    assert weight.mean().item() == pytest.approx(0, abs=4 * 0.3 / math.sqrt(n))
    assert weight.std().item() == pytest.approx(0.3, rel=0.01)
    scale = {
        "normal": 0.3,
        "uniform": 0.3 * math.sqrt(3),
        "laplace": 0.3 / math.sqrt(2),
        "logistic": 0.3 * math.sqrt(3) / math.pi,
    }[name]
    known = {
        "normal": stats.norm(0, scale),
        "uniform": stats.uniform(-scale, 2 * scale),
        "laplace": stats.laplace(0, scale),
        "logistic": stats.logistic(0, scale),
    }[name]
    assert stats.kstest(weight.flatten()[:20_000].numpy(), known.cdf).pvalue > 1e-3
    by_hand = by_scale(name, scale)[1]
    assert by_hand == options


def test_a_distribution_without_a_scale() -> None:
    with pytest.raises(UserError, match="orthogonal has no scale; normal, uniform"):
        by_scale("orthogonal", 1.0)
