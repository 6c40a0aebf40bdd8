from __future__ import annotations

import math

import torch
from rbench_plugins.theory.angles import angle
from rbench_plugins.theory.constants import gaussian_moments
from rbench_plugins.theory.l2_limit import l2_limit
from rbench_plugins.theory.stack import Conv, Pool, Stack, Upsample, Window
from torch import Tensor

from tests.helpers.theory_routes import route_counts, routes_limit
from tests.helpers.theory_stacks import HALVES, SAME, convs, output, pooled


def test_equals_the_count_of_routes() -> None:
    image = torch.rand(3, 8, 6, dtype=torch.float64)
    uneven = Window((3, 2), (2, 1), (1, 0, 2, 1))
    for stack in (
        pooled("l2", 4),
        convs(5, 4),
        Stack((Conv(uneven, 4), Upsample(3), Conv(uneven, 4))),
        Stack((Conv(SAME, 4), Upsample(2, nearest=True), Pool("l2", HALVES), Conv(SAME, 4))),
    ):
        direct, z = routes_limit(stack, image), l2_limit(stack, image).z
        assert torch.allclose(direct, z.flatten(), rtol=1e-12)


def test_routes_of_two_windows_by_hand() -> None:
    # Two 1x3 windows in a row over 4 pixels, padded by one: the middle has 3 routes to itself.
    row = Window((1, 3), (1, 1), (1, 1, 0, 0))
    counts = route_counts(Stack((Conv(row, 2), Conv(row, 2))), 1, 4)
    expected = [[2, 2, 1, 0], [2, 3, 2, 1], [1, 2, 3, 2], [0, 1, 2, 2]]
    assert counts.tolist() == expected


def test_wide_network_converges_to_it(cat: Tensor) -> None:
    """sin of the angle falls as 1/sqrt(N): 600 filters, 5 layers, l2 pool, zero insertion."""
    stack = pooled("l2", 600)
    f = output(stack, cat.float(), torch.Generator().manual_seed(0))
    limit = l2_limit(stack, cat)
    assert float(angle(f, limit.image).sin()) < 0.1
    blurred = cat.norm(dim=0)
    assert float(angle(f, limit.image)) < 0.5 * float(angle(blurred, limit.image))


def test_printed_constant_lacks_a_root(cat: Tensor) -> None:
    """Theorem 4's k: the mean of f is k z* with sqrt(k2), two orders above the printed one."""
    stack = convs(4, 200)
    generator = torch.Generator().manual_seed(0)
    ratios = []
    limit = l2_limit(stack, cat)
    for _ in range(12):
        f = output(stack, cat.float(), generator).double()
        ratios.append(float((f * limit.z).sum() / limit.z.square().sum()))
    mean = sum(ratios) / len(ratios)
    error = math.sqrt(sum((r - mean) ** 2 for r in ratios) / 11 / 12)
    k2 = gaussian_moments(0.1).k2
    assert abs(mean - limit.k) < 4 * error
    assert error < 0.15 * limit.k
    assert math.isclose(limit.printed_k, limit.k * k2, rel_tol=1e-12)  # two roots of k2 too many


def test_expectation_over_first_layer_is_exact() -> None:
    """Two layers: E f = k1 z*, pixel by pixel within 5 standard errors of 4000 networks."""
    generator = torch.Generator().manual_seed(3)
    image = torch.rand(2, 4, 4, generator=generator, dtype=torch.float64)
    stack = convs(2, 20)
    draws = torch.stack([output(stack, image, generator) for _ in range(4000)])
    error = draws.std(0) / math.sqrt(len(draws))
    assert bool(((draws.mean(0) - l2_limit(stack, image).image).abs() < 5 * error).all())


def test_memory_is_linear_and_batches_agree() -> None:
    images = torch.rand(2, 3, 300, 200)
    stack = pooled("l2", 8)
    both = l2_limit(stack, images).z
    assert both.shape == (2, 300, 200)
    assert torch.equal(both[1], l2_limit(stack, images[1]).z)
