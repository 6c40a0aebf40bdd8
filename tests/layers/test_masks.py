"""Masks over frozen weights: the straight-through gradients against their formulas in float64."""

from __future__ import annotations

import pytest
import torch
from rbench_plugins.layers.masks import BernoulliMask, EdgePopup, draw, kept_of, largest
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from rbench import generator

SHAPE = (6, 3, 3, 3)


def problem() -> tuple[Tensor, Tensor, Tensor]:
    """W, x and an upstream gradient, float64."""
    draws = generator(0, "masks")
    weight = torch.randn(SHAPE, dtype=torch.float64, generator=draws)
    x = torch.randn(4, 3, 7, 7, dtype=torch.float64, generator=draws)
    upstream = torch.randn(4, 6, 5, 5, dtype=torch.float64, generator=draws)
    return weight, x, upstream


def layer(weight: Tensor, mask: nn.Module) -> nn.Conv2d:
    conv = nn.Conv2d(3, 6, 3, bias=False, dtype=torch.float64)
    conv.weight = nn.Parameter(weight.clone(), requires_grad=False)
    parametrize.register_parametrization(conv, "weight", mask.double())
    return conv


def to_effective(weight: Tensor, x: Tensor, upstream: Tensor) -> Tensor:
    """dW_eff of a plain convolution with this weight, by autograd."""
    effective = weight.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad((F.conv2d(x, effective) * upstream).sum(), effective)
    return gradient


@pytest.mark.parametrize("magnitude", [True, False])
def test_edge_popup_is_the_stated_rule(magnitude: bool) -> None:
    weight, x, upstream = problem()
    mask = EdgePopup(weight, 0.3, generator(1, "scores"), magnitude=magnitude)
    conv = layer(weight, mask)
    scores = mask.scores.detach().clone()
    ranked = scores.abs() if magnitude else scores
    kept = 162 - int(0.7 * 162)
    expected = torch.zeros(162, dtype=torch.float64)
    expected[ranked.flatten().argsort(descending=True)[:kept]] = 1
    expected = expected.view(SHAPE)
    output = conv(x)
    assert torch.equal(output, F.conv2d(x, weight * expected))
    (output * upstream).sum().backward()
    formula = to_effective(weight * expected, x, upstream) * weight
    if magnitude:
        formula = formula * scores.sign()
    torch.testing.assert_close(mask.scores.grad, formula, rtol=1e-12, atol=1e-12)
    assert conv.parametrizations.weight.original.grad is None
    assert torch.equal(mask.mask(), expected.bool())


def test_a_step_moves_scores_and_never_weights() -> None:
    weight, x, upstream = problem()
    mask = EdgePopup(weight, 0.5, generator(1, "scores"))
    conv = layer(weight, mask)
    optimizer = torch.optim.SGD(
        [p for p in conv.parameters() if p.requires_grad], lr=0.1, momentum=0.9, weight_decay=0.1
    )
    before = mask.mask()
    for _ in range(20):
        optimizer.zero_grad()
        (conv(x) * upstream).sum().backward()
        optimizer.step()
    assert torch.equal(conv.parametrizations.weight.original, weight)
    assert int(mask.mask().sum()) == int(before.sum())
    assert not torch.equal(mask.mask(), before)


@pytest.mark.parametrize("rescale", [True, False])
def test_bernoulli_is_the_stated_rule(rescale: bool) -> None:
    weight, x, upstream = problem()
    mask = BernoulliMask(weight, 0.4, rescale=rescale)
    with torch.no_grad():
        mask.logits.normal_(0.3, 1, generator=generator(2, "logits"))
    conv = layer(weight, mask).train()
    logits = mask.logits.detach()
    with torch.random.fork_rng():
        torch.manual_seed(7)
        output = conv(x)
        torch.manual_seed(7)
        drawn = torch.bernoulli(logits.sigmoid())
    factor = 162 / drawn.sum() if rescale else 1.0
    torch.testing.assert_close(output, F.conv2d(x, factor * weight * drawn), rtol=1e-12, atol=1e-12)
    (output * upstream).sum().backward()
    probability = logits.sigmoid()
    formula = (
        to_effective(factor * weight * drawn, x, upstream)
        * factor * weight * probability * (1 - probability)
    )  # fmt: skip
    torch.testing.assert_close(mask.logits.grad, formula, rtol=1e-12, atol=1e-12)
    conv.eval()
    rounded = weight * (logits >= 0)
    if rescale:
        rounded = rounded * 162 / (logits >= 0).sum()
    torch.testing.assert_close(conv.weight, rounded, rtol=1e-12, atol=1e-12)
    mask.evaluate = "expected"
    expected = weight * probability * (162 / probability.sum() if rescale else 1)
    torch.testing.assert_close(conv.weight, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("count", [1, 3, 5, 9, 10, 11])
def test_largest_keeps_exactly_so_many_whatever_the_ties(count: int) -> None:
    values = torch.tensor([1.0, 2, 2, 2, 0, 2, 3, 1, 1, 0]).view(2, 5)
    mask = largest(values, count)
    assert int(mask.sum()) == min(count, 10)
    assert mask.shape == values.shape
    order = values.flatten().sort(descending=True, stable=True).indices[:count]
    assert set(mask.flatten().nonzero().flatten().tolist()) == set(order.tolist())


@pytest.mark.parametrize(
    ("numbers", "keep", "kept"), [(1000, 0.9, 900), (10, 0.3, 3), (27, 0.5, 14)]
)
def test_kept(numbers: int, keep: float, kept: int) -> None:
    assert kept_of(numbers, keep) == kept


@pytest.mark.parametrize(
    ("distribution", "variance"),
    [
        ("signed_constant", 2 / 180),
        ("kaiming_normal", 2 / 180),
        ("kaiming_uniform", 2 / 180),
        ("xavier_normal", 2 / (180 + 900)),
        ("default", 1 / (3 * 180)),
    ],
)
def test_moments_of_the_frozen_weights(distribution: str, variance: float) -> None:
    weight = torch.empty(100, 20, 3, 3)
    draw(weight, distribution, 180, generator(0, distribution))
    assert abs(weight.mean()) < 4 * (variance / weight.numel()) ** 0.5
    assert weight.square().mean().item() == pytest.approx(variance, rel=0.05)
    if distribution == "signed_constant":
        assert weight.abs().unique().numel() == 1
