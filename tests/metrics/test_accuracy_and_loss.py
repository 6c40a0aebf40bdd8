"""top1, top5 and loss against scikit-learn and float64 formulas."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pytest
import torch
from rbench_plugins.metrics import loss, top1, top5
from sklearn.metrics import log_loss, top_k_accuracy_score
from torch import Tensor, nn

from rbench import ClassificationOutcome, MemoryImages, Metric, MetricContext, MetricValue


def outcome(logits: Tensor, labels: Tensor) -> ClassificationOutcome:
    return ClassificationOutcome(
        network=nn.Identity(),
        classifier=nn.Identity(),
        test=MemoryImages(torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8), labels),
        logits=logits,
        labels=labels,
    )


def measure(metric: Metric, logits: Tensor, labels: Tensor) -> tuple[MetricValue, list[str]]:
    notes: list[str] = []
    context = MetricContext(
        seed=0, device=torch.device("cpu"), accelerator=cast(Any, None), note=notes.append
    )
    (value,) = metric.measure(outcome(logits, labels), context, metric.options())
    return value, notes


@pytest.fixture
def scores() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(10, (500,), generator=generator)
    logits = torch.randn(500, 10, generator=generator) + nn.functional.one_hot(labels, 10)
    return logits, labels


@pytest.mark.parametrize(("metric", "k"), [(top1.COMPONENT, 1), (top5.COMPONENT, 5)])
def test_accuracy_equals_scikit_learns(
    metric: Metric, k: int, scores: tuple[Tensor, Tensor]
) -> None:
    logits, labels = scores
    value, notes = measure(metric, logits, labels)
    expected = top_k_accuracy_score(labels.numpy(), logits.numpy(), k=k)
    assert value.name == f"top{k}"
    assert value.value == pytest.approx(100 * expected, abs=1e-12)
    assert (value.unit, value.higher_is_better, value.n) == ("%", True, 500)
    assert value.uncertainty == pytest.approx(100 * math.sqrt(expected * (1 - expected) / 500))
    assert not notes


def test_loss_equals_scikit_learns(scores: tuple[Tensor, Tensor]) -> None:
    logits, labels = scores
    value, _ = measure(loss.COMPONENT, logits, labels)
    chances = logits.double().softmax(1).numpy()
    assert value.value == pytest.approx(log_loss(labels.numpy(), chances), rel=1e-12)
    single = -np.log(chances[np.arange(500), labels.numpy()])
    assert value.uncertainty == pytest.approx(single.std(ddof=1) / math.sqrt(500))
    assert (value.unit, value.higher_is_better, value.n) == ("nat", False, 500)


def test_top5_of_three_classes_is_100_and_says_so() -> None:
    value, notes = measure(top5.COMPONENT, torch.randn(7, 3), torch.tensor([0, 1, 2, 0, 1, 2, 0]))
    assert (value.value, value.uncertainty) == (100, 0)
    assert notes == ["top5 is 100 % by definition: there are only 3 classes"]


def test_logits_that_are_not_finite_are_no_hit() -> None:
    logits = torch.tensor([[math.nan, math.nan], [math.inf, 0.0], [1.0, 0.0]])
    value, _ = measure(top1.COMPONENT, logits, torch.zeros(3, dtype=torch.int64))
    assert value.value == pytest.approx(100 / 3)


def test_loss_that_is_not_finite_is_none_and_said() -> None:
    value, notes = measure(
        loss.COMPONENT, torch.tensor([[math.nan, 0.0], [1.0, 0.0]]), torch.tensor([0, 0])
    )
    assert value.value is None
    assert notes == ["the test loss is not finite"]


def test_loss_of_one_image_has_no_uncertainty() -> None:
    value, _ = measure(loss.COMPONENT, torch.zeros(1, 4), torch.tensor([2]))
    assert value.value == pytest.approx(math.log(4))
    assert value.uncertainty is None
