from __future__ import annotations

import itertools
import math

import pytest
import torch
from rbench_plugins.theory.angles import angle
from rbench_plugins.theory.covariance_limit import covariance, covariance_limit, without_weights
from rbench_plugins.theory.l2_limit import l2_limit
from rbench_plugins.theory.stack import Conv, Pool, Stack, Upsample, Window
from torch import Tensor

from rbench import UserError
from tests.helpers.theory_stacks import HALVES, SAME, convs, output, pooled


def test_without_pools_it_is_the_l2_limit(cat: Tensor) -> None:
    stack = Stack((*convs(3, 8).layers[:1], Upsample(2), *convs(3, 8).layers))
    assert torch.allclose(covariance_limit(stack, cat).image, l2_limit(stack, cat).image, rtol=1e-9)


def test_windows_against_a_direct_sum() -> None:
    """S_jk = sum over taps of C[D_j,s, D_k,s] with explicit indices, stride and padding uneven."""
    image = torch.rand(3, 5, 4, dtype=torch.float64)
    window = Window((3, 2), (2, 1), (1, 0, 1, 2))
    got = covariance(image).windows(window).values
    rows, columns = got.shape[:2]

    def patch(row: int, column: int) -> Tensor:
        return torch.stack(
            [
                image[:, y, x] if 0 <= y < 5 and 0 <= x < 4 else torch.zeros(3, dtype=torch.float64)
                for y in range(2 * row - 1, 2 * row + 2)
                for x in range(column - 1, column + 1)
            ]
        )

    pixels = list(itertools.product(range(rows), range(columns)))
    assert (rows, columns) == (3, 4)
    for j, k in itertools.product(pixels, pixels):
        assert got[(*j, *k)] == pytest.approx(float((patch(*j) * patch(*k)).sum()), abs=1e-12)


def test_one_rectified_layer_by_monte_carlo() -> None:
    """C after a convolution is E of the maps' products, 5 standard errors over 20000 filters."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64)
    many = 20_000
    filters = torch.randn(many, 2, 3, 3, generator=generator, dtype=torch.float64)
    maps = torch.nn.functional.conv2d(image[None], filters, padding=1)[0].relu().flatten(1)
    products = maps[:, :, None] * maps[:, None, :]
    error = products.std(0) / math.sqrt(many)
    from rbench_plugins.theory.covariance_limit import rectified

    expected = rectified(covariance(image).windows(SAME), Conv(SAME, 1)).values.reshape(9, 9)
    assert bool(((products.mean(0) - expected).abs() < 5 * error + 1e-12).all())


@pytest.mark.parametrize("layer", [Pool("average", HALVES), Upsample(2), Upsample(2, nearest=True)])
def test_zero_insertion_of_covariances(layer: Pool | Upsample) -> None:
    """A C A^T: pooling or inserting first and taking C then is the same."""
    image = torch.rand(3, 6, 4, dtype=torch.float64)
    if isinstance(layer, Upsample):
        after = layer.spread(image)
    else:
        after = torch.nn.functional.avg_pool2d(image[None], 2)[0]
    got = without_weights(layer, covariance(image)).values
    assert torch.allclose(got, covariance(after).values, atol=1e-12)


def test_wide_average_pooled_network_converges_to_it(cat: Tensor) -> None:
    stack = pooled("average", 600)
    f = output(stack, cat.float(), torch.Generator().manual_seed(1))
    limit = covariance_limit(stack, cat)
    away = float(angle(f, limit.image).sin())
    l2_stack = pooled("l2", 600)
    assert away < 0.1
    assert away < float(angle(f, l2_limit(l2_stack, cat).image).sin())
    assert float(f.norm() / limit.image.norm()) == pytest.approx(1, abs=0.3)


def test_refusals(cat: Tensor) -> None:
    with pytest.raises(UserError, match="64x64 is the most"):
        covariance_limit(pooled("average", 8), torch.rand(3, 65, 64))
    grows = Stack((Conv(SAME, 4), Upsample(8), Conv(SAME, 4)))
    with pytest.raises(UserError, match="128x128 is too large"):
        covariance_limit(grows, cat)
    with pytest.raises(UserError, match="not l2"):
        covariance_limit(pooled("l2", 8), cat)
    with pytest.raises(UserError, match="does not fit"):
        covariance_limit(convs(2, 4, Window((5, 5))), torch.rand(1, 4, 4))
