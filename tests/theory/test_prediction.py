from __future__ import annotations

import math

import pytest
import torch
from rbench_plugins.theory.angles import angle
from rbench_plugins.theory.l2_limit import l2_limit
from rbench_plugins.theory.prediction import predicted_sin2
from rbench_plugins.theory.stack import Conv, Stack, Upsample
from torch import Tensor

from rbench import UserError
from tests.helpers.theory_stacks import SAME, convs, output, pooled


def _check(stack: Stack, image: Tensor, draws: int, seed: int) -> None:
    """Mean sin^2 over ``draws`` networks within 4 standard errors and 3 % of the prediction."""
    generator, limit = torch.Generator().manual_seed(seed), l2_limit(stack, image).image
    sin2 = torch.stack(
        [angle(output(stack, image.float(), generator), limit).sin() ** 2 for _ in range(draws)]
    )
    error, expected = float(sin2.std() / math.sqrt(draws)), sum(predicted_sin2(stack, image))
    assert error < 0.06 * expected  # the test can tell 1.3 from 1
    assert abs(float(sin2.mean()) - expected) < 4 * error + 0.03 * expected


def test_two_layers(cat: Tensor) -> None:
    _check(convs(2, 256), cat, draws=1500, seed=0)


@pytest.mark.slow
def test_four_layers(cat: Tensor) -> None:
    _check(convs(4, 128), cat[:, ::2, ::2], draws=700, seed=1)


@pytest.mark.slow
def test_zero_insertion(cat: Tensor) -> None:
    scaled = Conv(SAME, 128, 0.1, 128**-0.5)
    _check(Stack((scaled, Upsample(2), scaled, Conv(SAME, 128))), cat[:, ::4, ::4], 700, 2)


def test_shares_fall_with_their_own_width_only(cat: Tensor) -> None:
    narrow = predicted_sin2(Stack((Conv(SAME, 10, 0.1, 10**-0.5), Conv(SAME, 40))), cat)
    wide = predicted_sin2(Stack((Conv(SAME, 20, 0.3, 20**-0.5), Conv(SAME, 40, 2.0))), cat)
    assert narrow == pytest.approx([2 * wide[0], wide[1]], rel=1e-9)


def test_pools_are_refused(cat: Tensor) -> None:
    with pytest.raises(UserError, match="not pools"):
        predicted_sin2(pooled("l2", 8), cat)
