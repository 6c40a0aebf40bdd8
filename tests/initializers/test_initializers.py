"""Each initializer against its distribution, and all of them against the contract."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from rbench_plugins.initializers import COMPONENTS
from scipy import stats
from torch import Tensor, nn

from rbench import Initializer

BY_NAME = {component.name: component for component in COMPONENTS}
SHAPE = (64, 48, 3, 3)
FAN_IN = 48 * 9


def draw(name: str, shape: tuple[int, ...] = SHAPE, seed: int = 0, **options: object) -> Tensor:
    component = BY_NAME[name]
    weight = nn.Parameter(torch.full(shape, math.nan))
    component.draw(weight, torch.Generator().manual_seed(seed), component.options(**options))
    assert weight.requires_grad
    assert weight.grad_fn is None
    return weight.detach()


def normal(std: float, mean: float = 0.0) -> Callable[..., object]:
    return stats.norm(mean, std).cdf


def uniform(bound: float) -> Callable[..., object]:
    return stats.uniform(-bound, 2 * bound).cdf


LAWS = [
    # name, options, cumulative distribution, mean, std
    ("normal", {}, normal(0.015), 0, 0.015),
    ("normal", {"mean": 0.3, "std": 0.1}, normal(0.1, 0.3), 0.3, 0.1),
    ("uniform", {}, uniform(0.04), 0, 0.0230940),
    ("uniform", {"low": 1.0, "high": 3.0}, stats.uniform(1, 2).cdf, 2, 2 / math.sqrt(12)),
    ("logistic", {}, stats.logistic(0, 0.015).cdf, 0, 0.0272070),
    ("logistic", {"loc": -1.0, "scale": 2.0}, stats.logistic(-1, 2).cdf, -1, 3.627599),
    ("laplace", {}, stats.laplace(0, 0.015).cdf, 0, 0.0212132),
    ("laplace", {"loc": 0.5, "scale": 0.1}, stats.laplace(0.5, 0.1).cdf, 0.5, 0.141421),
    ("kaiming", {}, normal(math.sqrt(2 / FAN_IN)), 0, math.sqrt(2 / FAN_IN)),
    (
        "kaiming",
        {"mode": "fan_out", "negative_slope": 0.2},
        normal(math.sqrt(2 / 1.04 / (64 * 9))),
        0,
        math.sqrt(2 / 1.04 / (64 * 9)),
    ),
    (
        "kaiming",
        {"distribution": "uniform"},
        uniform(math.sqrt(6 / FAN_IN)),
        0,
        math.sqrt(2 / FAN_IN),
    ),
    ("default", {}, uniform(1 / math.sqrt(FAN_IN)), 0, 1 / math.sqrt(3 * FAN_IN)),
]


@pytest.mark.parametrize(("name", "options", "cdf", "mean", "std"), LAWS)
def test_follows_its_law(
    name: str, options: dict[str, object], cdf: Callable[..., object], mean: float, std: float
) -> None:
    sample = draw(name, **options).double().flatten().numpy()
    # 27,648 draws: the mean's standard error is 0.6 % of std, that of the std below 0.9 % of it.
    assert sample.mean() == pytest.approx(mean, abs=0.025 * std)
    assert sample.std() == pytest.approx(std, rel=0.035)
    assert stats.kstest(sample, cdf).pvalue > 0.001
    neighbors = np.corrcoef(sample[:-1], sample[1:])[0, 1]
    assert abs(neighbors) < 0.03


def test_the_distribution_test_can_fail() -> None:
    sample = draw("laplace").double().flatten().numpy()
    assert stats.kstest(sample, normal(float(sample.std()))).pvalue < 1e-6


def test_the_laws_of_p1_have_the_stds_that_its_parameters_imply() -> None:
    for name, std in [("uniform", 0.0231), ("logistic", 0.0272), ("laplace", 0.0212)]:
        assert draw(name).std().item() == pytest.approx(std, rel=0.03)


def test_default_is_bit_equal_to_pytorchs_own_convolution() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        reference = nn.Conv2d(48, 64, 3, bias=False).weight.detach()
    assert torch.equal(draw("default", seed=5), reference)


@pytest.mark.parametrize("extreme", [0.0, 1.0 - 2**-53])
@pytest.mark.parametrize("name", ["laplace", "logistic"])
def test_the_ends_of_the_uniform_numbers_give_finite_weights(
    name: str, extreme: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        torch, "rand", lambda shape, **_: torch.full(shape, extreme, dtype=torch.float64)
    )
    assert draw(name, (2, 2)).isfinite().all()


@pytest.mark.parametrize(
    ("shape", "rows"), [((8, 16, 3, 3), True), ((64, 2, 3, 3), False), ((16, 1, 3, 3), False)]
)
def test_orthogonal(shape: tuple[int, ...], rows: bool) -> None:
    matrix = draw("orthogonal", shape, gain=1.5).flatten(1).double()
    gram = matrix @ matrix.T if rows else matrix.T @ matrix
    assert torch.allclose(gram, 2.25 * torch.eye(len(gram), dtype=torch.float64), atol=1e-5)


def test_orthogonal_is_uniform_over_the_group() -> None:
    # Haar measure: the entries of a 2 x 2 orthogonal matrix are cosines of a uniform angle.
    first = [draw("orthogonal", (2, 2), seed=seed)[0, 0].item() for seed in range(2000)]
    assert stats.kstest(first, stats.arcsine(-1, 2).cdf).pvalue > 0.001


@pytest.mark.parametrize("kernel", [3, 5])
def test_delta_orthogonal_is_an_isometry(kernel: int) -> None:
    weight = draw("delta_orthogonal", (32, 24, kernel, kernel), gain=2.0)
    images = torch.randn(2, 24, 8, 8, generator=torch.Generator().manual_seed(1))
    pad = kernel // 2
    padded = nn.functional.pad(images, (pad, pad, pad, pad), mode="circular")
    answer = nn.functional.conv2d(padded, weight)
    assert torch.allclose(answer.norm(dim=1), 2 * images.norm(dim=1), rtol=1e-5)
    outside = weight.clone()
    outside[:, :, pad, pad] = 0
    assert not outside.any()


def test_delta_orthogonal_in_another_memory_format() -> None:
    weight = torch.empty(32, 24, 3, 3).to(memory_format=torch.channels_last)
    component = BY_NAME["delta_orthogonal"]
    component.draw(weight, torch.Generator().manual_seed(0), component.options())
    assert torch.equal(weight, draw("delta_orthogonal", (32, 24, 3, 3)))


def test_delta_orthogonal_with_fewer_filters_than_inputs_has_orthogonal_rows() -> None:
    centre = draw("delta_orthogonal", (8, 24, 3, 3))[:, :, 1, 1]
    assert torch.allclose(centre @ centre.T, torch.eye(8), atol=1e-5)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
class TestContract:
    def test_same_seed_same_weights_other_seed_other_weights(self, component: Initializer) -> None:
        first, again, other = (draw(component.name, seed=seed) for seed in (3, 3, 4))
        assert torch.equal(first, again)
        deterministic = component.name in ("dirac", "zero")
        assert torch.equal(first, other) == deterministic

    def test_global_random_state_is_untouched(self, component: Initializer) -> None:
        before, numpy = torch.get_rng_state(), np.random.get_state()[1].copy()
        draw(component.name)
        assert torch.equal(torch.get_rng_state(), before)
        assert (np.random.get_state()[1] == numpy).all()

    def test_global_seed_does_not_matter(self, component: Initializer) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(1)
            first = draw(component.name)
            torch.manual_seed(2)
            assert torch.equal(first, draw(component.name))

    @pytest.mark.parametrize("shape", [(3, 2, 1, 1), (1, 1, 2, 2), (2, 3, 7, 7), (4, 2, 3)])
    def test_fills_every_shape_with_finite_numbers(
        self, component: Initializer, shape: tuple[int, ...]
    ) -> None:
        assert draw(component.name, shape).isfinite().all()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("normal", {"std": 0}),
        ("normal", {"std": "wide"}),
        ("normal", {"sdt": 1}),
        ("normal", {"mean": math.nan}),
        ("uniform", {"low": 1, "high": 1}),
        ("logistic", {"scale": -1}),
        ("laplace", {"scale": 0}),
        ("kaiming", {"mode": "fan_both"}),
        ("orthogonal", {"gain": -1}),
        ("default", {"std": 1}),
    ],
)
def test_wrong_options_are_refused(name: str, options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BY_NAME[name].options(**options)
