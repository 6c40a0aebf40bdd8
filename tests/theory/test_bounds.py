from __future__ import annotations

import math

import pytest
import torch
from rbench_plugins.theory.angles import angle
from rbench_plugins.theory.bounds import angle_bound, multi_layer_bound
from rbench_plugins.theory.l2_limit import l2_limit, squared_norms
from rbench_plugins.theory.stack import Conv, Pool, Stack, Upsample, Window
from torch import Tensor

from rbench import UserError
from tests.helpers.theory_routes import two_layer_bound
from tests.helpers.theory_stacks import HALVES, SAME, convs, output


def test_two_layers_by_hand(cat: Tensor) -> None:
    assert two_layer_bound(64, 0.05) == pytest.approx(0.818, abs=5e-4)
    assert multi_layer_bound(convs(2, 64), cat).at(0.05) == pytest.approx(
        two_layer_bound(64, 0.05), rel=1e-12
    )


def test_variance_behind_theorem_6_by_monte_carlo() -> None:
    """E |f - f*|^2 / |f*|^2 = K1/N, the number Markov's inequality is applied to."""
    generator = torch.Generator().manual_seed(0)
    image, stack = torch.rand(1, 5, 5, generator=generator, dtype=torch.float64), convs(2, 10)
    limit = l2_limit(stack, image).image
    away = (
        torch.stack([(output(stack, image, generator) - limit).square().sum() for _ in range(3000)])
        / limit.square().sum()
    )
    error = away.std() / math.sqrt(len(away))
    assert abs(away.mean() - (math.pi - 1) / 10) < 4 * error


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_disjoint_windows_hold_the_bound(depth: int) -> None:
    """No more than delta of 200 networks may violate it (in fact none does)."""
    generator = torch.Generator().manual_seed(depth)
    image = torch.rand(3, 16, 16, generator=generator, dtype=torch.float64)
    stack = convs(depth, 256, HALVES)
    limit = l2_limit(stack, image).image
    sines = [float(angle(output(stack, image, generator), limit).sin()) for _ in range(200)]
    bound = multi_layer_bound(stack, image)
    for delta in (0.05, 0.5, 0.9):
        assert sum(sine > bound.at(delta) for sine in sines) <= delta * len(sines)


def test_lambda_is_taken_of_the_squares(cat: Tensor) -> None:
    """Lemma 7 by its definition, with (z*)^2; the main text's z* gives another number."""
    stack = convs(3, 64, HALVES)
    q = torch.nn.functional.avg_pool2d(squared_norms(cat)[None, None], 2)[0, 0] * 4  # (z*(0))^2

    def lam(x: Tensor, r: int) -> float:
        means = torch.nn.functional.avg_pool2d(x[None, None], r)[0, 0]
        rest = x - means.repeat_interleave(r, 0).repeat_interleave(r, 1)
        return float(1 / (1 - rest.square().sum() / x.square().sum()).sqrt())

    following = torch.nn.functional.avg_pool2d(q[None, None], 2)[0, 0] * 4
    lambdas = multi_layer_bound(stack, cat).lambdas
    assert lambdas == pytest.approx((lam(q, 2), lam(following, 4)), rel=1e-12)
    assert lambdas[0] != pytest.approx(lam(q.sqrt(), 2), rel=1e-3)


@pytest.mark.parametrize(("depth", "power"), [(3, 10), (4, 12), (8, 16)])
def test_width_where_the_bound_starts_to_say_something(depth: int, power: int) -> None:
    """With every lambda 1 (a flat image, no padding) and delta .05, the first power of two."""
    flat = torch.ones(1, 2**7, 2**7, dtype=torch.float64)
    first = next(
        p for p in range(20) if multi_layer_bound(convs(depth, 2**p, HALVES), flat).at(0.05) < 1
    )
    assert first == power


def test_spread_by_hand() -> None:
    stack = Stack((Conv(HALVES, 10), Pool("l2", HALVES), Conv(HALVES, 20), Conv(HALVES, 40)))
    bound = multi_layer_bound(stack, torch.rand(1, 16, 16))
    assert bound.spread == pytest.approx((math.pi - 1) / 40 + 5 / 10 + 5 / 20)
    step = math.sqrt(bound.spread / 0.1)
    assert bound.depth == 4  # three convolutions and the mean; the pool draws nothing
    assert bound.at(0.1) == pytest.approx(
        step + math.sqrt(2 * step * math.prod(bound.lambdas)), rel=1e-12
    )


def test_overlapping_windows_take_the_norm_of_the_window_sum(cat: Tensor) -> None:
    """The gain that is used is at least the map's true norm, for pools and insertions too."""
    for before in ((), (Upsample(2),), (Pool("l2", HALVES), Upsample(2))):
        stack = Stack((Conv(SAME, 8), *before, Conv(SAME, 8)))
        squares = torch.eye(256, dtype=torch.float64).reshape(256, 16, 16)
        from rbench_plugins.theory.stack import window_sums

        matrix = window_sums(before, stack.convs[1], squares).flatten(1)
        true_norm = float(torch.linalg.matrix_norm(matrix, 2))
        x = window_sums((), stack.convs[0], squared_norms(cat))
        following = window_sums(before, stack.convs[1], x)
        used = multi_layer_bound(stack, cat).lambdas[0] * float(following.norm() / x.norm())
        assert true_norm <= used * (1 + 1e-12)
        assert used < 1.5 * true_norm


@pytest.mark.parametrize("size", [3, 5, 7])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_angle_bound_holds_and_matches_its_definition(cat: Tensor, size: int, depth: int) -> None:
    half = size // 2
    stack = convs(depth, 4, Window((size, size), (1, 1), (half,) * 4))
    x = squared_norms(cat).sqrt()
    mean = x
    for _ in range(depth - 1):
        mean = torch.nn.functional.avg_pool2d(mean[None, None], size, stride=1, padding=half)[0, 0]
    bound = angle_bound(stack, cat)
    assert bound == pytest.approx(float((x * mean).sum() / x.square().sum()), rel=1e-12)
    cosine = float(angle(x, l2_limit(stack, cat).z).cos())
    assert bound < cosine
    # As printed: 1 - sum eps X / M.
    assert bound == pytest.approx(1 - float(((x - mean) * x).sum() / x.square().sum()), rel=1e-9)


def test_bad_input(cat: Tensor) -> None:
    with pytest.raises(UserError, match="negative"):
        angle_bound(convs(2, 4), cat - 0.5)
    with pytest.raises(UserError, match="black"):
        angle_bound(convs(2, 4), torch.zeros(3, 8, 8))
    with pytest.raises(UserError, match="one size"):
        angle_bound(convs(2, 4, HALVES), cat)
    with pytest.raises(UserError, match="delta"):
        multi_layer_bound(convs(2, 64), cat).at(0.0)
    with pytest.raises(UserError, match="does not fit"):
        multi_layer_bound(convs(6, 4, HALVES), cat)
