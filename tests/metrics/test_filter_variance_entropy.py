"""filter_variance_entropy against a float64 formula that takes another way."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import pytest
import torch
from rbench_plugins.metrics.filter_variance_entropy import COMPONENT
from rbench_plugins.metrics.functions.filter_variance_entropy import entropy, threshold
from torch import Tensor, nn

from rbench import MetricContext, MetricValue, Outcome


def brute_force(weight: Tensor) -> float:
    """The entropy from the eigenvalues of the kernels' covariance (not from singular values)."""
    kernels = weight.detach().double().numpy().reshape(-1, weight[0, 0].numel())
    centered = kernels - kernels.mean(axis=0)
    p = np.linalg.eigvalsh(centered.T @ centered).clip(min=0)
    p = p / p.sum()
    return -sum(x * math.log10(x) for x in p if x > 0)


def measure(network: nn.Module, **options: Any) -> tuple[dict[str, MetricValue], list[str]]:
    notes: list[str] = []
    context = MetricContext(
        seed=0, device=torch.device("cpu"), accelerator=cast(Any, None), note=notes.append
    )
    values = COMPONENT.measure(
        Outcome(network=network), context, cast(Any, COMPONENT.options(**options))
    )
    return {value.name: value for value in values}, notes


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(16, 3, 3, 3), (64, 64, 3, 3), (8, 1, 5, 5), (4, 3, 7, 7)])
def test_equals_the_covariance_formula(shape: tuple[int, ...]) -> None:
    weight = noise(*shape)
    assert entropy(weight) == pytest.approx(brute_force(weight), rel=1e-9)


def test_known_values() -> None:
    axes = torch.eye(9).reshape(9, 1, 3, 3)
    assert entropy(torch.cat([axes, -axes])) == pytest.approx(math.log10(9))  # all nine alike
    one_direction = noise(32, 1, 1, 1) * noise(1, 1, 3, 3, seed=1)
    assert entropy(one_direction) == pytest.approx(0, abs=1e-6)  # 0 log 0 is 0, not NaN
    two = torch.cat([axes[:2], -axes[:2]])
    assert entropy(two) == pytest.approx(math.log10(2))


def test_scale_and_mean_kernel_do_not_matter() -> None:
    weight = noise(16, 4, 3, 3).double()
    assert entropy(weight * 1e-4 + noise(1, 1, 3, 3).double()) == pytest.approx(entropy(weight))


def test_threshold() -> None:
    assert threshold(48) == pytest.approx(0.8862, abs=5e-5)
    assert threshold(64) == pytest.approx(0.9056, abs=5e-5)  # by hand: 1.26180/1.03761 - .31051
    assert threshold(4096) == pytest.approx(0.9511, abs=5e-5)


@pytest.mark.parametrize(("shape", "ratio"), [((16, 3, 3, 3), 1.03), ((64, 64, 3, 3), 1.003)])
def test_random_kernels_lie_just_above_the_threshold(shape: tuple[int, ...], ratio: float) -> None:
    ratios = [
        entropy(noise(*shape, seed=seed)) / threshold(shape[0] * shape[1]) for seed in range(20)
    ]
    assert np.mean(ratios) == pytest.approx(ratio, abs=0.01)


class Combined(nn.Module):
    """A layer like an LC-block: what it convolves with is not what it stores."""

    def __init__(self) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(3, 32, 3, bias=False)
        self.mix = nn.Conv2d(32, 16, 1, bias=False)

    def spatial_parameters(self) -> Iterable[str]:
        return []

    def combined_weight(self) -> Tensor:
        folded = self.mix.weight.flatten(1) @ self.spatial.weight.flatten(1)
        return folded.reshape(16, 3, 3, 3)


def small() -> nn.Sequential:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 7),
        nn.Conv2d(8, 8, 1),
        nn.Conv2d(8, 16, 3),
        nn.Conv2d(16, 4, 3),
        nn.Linear(4, 2),
    )
    for index, parameter in enumerate(network.parameters()):
        with torch.no_grad():
            parameter.copy_(noise(*parameter.shape, seed=index))
    return network


def test_first_and_last_spatial_filter_by_default() -> None:
    network = small()
    values, notes = measure(network)
    name = "filter_variance_entropy"
    assert list(values) == [f"{name}@first", f"{name}@last", f"{name}_ratio@last"]
    last = values[f"{name}@last"]
    assert last.value == pytest.approx(brute_force(network[3].weight))
    assert last.n == 64
    assert last.details == {"layer": "3", "shape": [4, 16, 3, 3]}
    assert values[f"{name}_ratio@last"].value == pytest.approx(
        cast(float, last.value) / threshold(64)
    )
    assert values[f"{name}@first"].value == pytest.approx(brute_force(network[0].weight))
    assert not notes


def test_layers_by_pattern_and_all() -> None:
    values, _ = measure(small(), layers="all")
    assert [name for name in values if "ratio" not in name] == [
        "filter_variance_entropy@0",
        "filter_variance_entropy@2",
        "filter_variance_entropy@3",
    ]
    values, notes = measure(small(), layers=["[23]", "nothing"])
    assert len(values) == 4
    assert notes == ["filter_variance_entropy: no spatial filter is called 'nothing'"]


def test_combined_filters_are_measured_combined() -> None:
    layer = Combined()
    network = nn.Sequential(layer)
    values, _ = measure(network, layers=["first"])
    assert values["filter_variance_entropy@first"].value == pytest.approx(
        brute_force(layer.combined_weight())
    )
    assert next(iter(measure(network, layers=["all"])[0])) == "filter_variance_entropy@0"


@pytest.mark.parametrize("fill", [0.0, 1.0, math.nan, math.inf])
def test_kernels_that_say_nothing_have_no_value(fill: float) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3))
    nn.init.constant_(network[0].weight, fill)
    values, notes = measure(network, layers=["first"])
    assert values["filter_variance_entropy@first"].value is None
    assert list(values) == ["filter_variance_entropy@first"]
    assert len(notes) == 1


def test_too_few_kernels_for_the_threshold() -> None:
    values, _ = measure(nn.Sequential(nn.Conv2d(1, 3, 3)), layers=["first"])
    assert list(values) == ["filter_variance_entropy@first"]


def test_network_without_spatial_filters() -> None:
    values, notes = measure(nn.Sequential(nn.Linear(3, 2)))
    assert not values
    assert notes == ["filter_variance_entropy: the network has no spatial filter"]
