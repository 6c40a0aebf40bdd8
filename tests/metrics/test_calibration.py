"""calibration against scikit-learn and formulas written as loops."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pytest
import torch
from rbench_plugins.metrics.calibration import COMPONENT, CalibrationOptions
from sklearn.metrics import brier_score_loss, log_loss
from torch import Tensor, nn

from rbench import ClassificationOutcome, MemoryImages, MetricContext
from tests.helpers.digit_classifier import measure


def result(logits: Tensor, labels: Tensor) -> ClassificationOutcome:
    test = MemoryImages(torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8), labels)
    return ClassificationOutcome(
        network=nn.Identity(), classifier=nn.Identity(), test=test, logits=logits, labels=labels
    )


@pytest.fixture
def case() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(5, (800,), generator=generator)
    logits = torch.randn(800, 5, generator=generator)
    return 2 * (logits + nn.functional.one_hot(labels, 5)), labels


@pytest.mark.parametrize("bins", [15, 7])
def test_against_independent_formulas(case: tuple[Tensor, Tensor], bins: int) -> None:
    logits, labels = case
    (ece, brier, nll), notes = measure(COMPONENT, result(logits, labels), bins=bins)
    probabilities = logits.double().softmax(1).numpy()
    gap = 0.0
    for index in range(bins):
        low, high = index / bins, (index + 1) / bins
        inside = [p for p in range(800) if low < probabilities[p].max() <= high]
        if inside:
            confidence = np.mean([probabilities[p].max() for p in inside])
            accuracy = np.mean([probabilities[p].argmax() == labels[p].item() for p in inside])
            gap += len(inside) / 800 * abs(confidence - accuracy)
    assert (ece.name, ece.unit) == ("ece", "points")
    assert ece.value == pytest.approx(100 * gap, rel=1e-12)
    assert 1 < ece.value < 40
    assert nll.value == pytest.approx(log_loss(labels.numpy(), probabilities), rel=1e-12)
    expected = brier_score_loss(labels.numpy(), probabilities, scale_by_half=False)
    assert brier.value == pytest.approx(expected, rel=1e-12)
    assert brier.uncertainty == pytest.approx(
        np.std(
            [((probabilities[p] - np.eye(5)[labels[p]]) ** 2).sum() for p in range(800)],
            ddof=1,
        )
        / math.sqrt(800)
    )
    assert all(value.higher_is_better is False and value.n == 800 for value in (ece, brier, nll))
    assert not notes
    # The picture's numbers give the ECE back.
    rows = ece.details["bins"]
    again = sum(r["images"] * abs(r["confidence"] - r["accuracy"]) for r in rows) / 800
    assert ece.value == pytest.approx(100 * again, rel=1e-12)


def test_confidences_that_float32_rounds_to_one_share_the_last_bin() -> None:
    """100 sure images, 90 right, and 100 of confidence near 0.97, all right: the gaps cancel."""
    logits = torch.zeros(200, 10)
    logits[:100, 0], logits[100:, 0] = 30.0, math.log(9 * 0.97 / 0.03)
    labels = torch.zeros(200, dtype=torch.int64)
    labels[:10] = 1
    (ece, *_), _ = measure(COMPONENT, result(logits, labels))
    sure = 1 / (1 + 9 * math.exp(-30))
    assert ece.value == pytest.approx(100 * abs(0.95 - (sure + 0.97) / 2), abs=1e-4)
    assert [row["images"] for row in ece.details["bins"]] == [200]


def test_certain_and_right_is_perfect_and_certain_and_wrong_is_the_worst() -> None:
    labels = torch.arange(4)
    sure = 100 * nn.functional.one_hot(labels, 4).float()
    (ece, brier, nll), _ = measure(COMPONENT, result(sure, labels))
    assert [ece.value, brier.value, nll.value] == pytest.approx([0, 0, 0], abs=1e-6)
    (ece, brier, nll), _ = measure(COMPONENT, result(sure, (labels + 1) % 4))
    assert [ece.value, brier.value, nll.value] == pytest.approx([100, 2, 100], rel=1e-5)


def test_logits_that_are_not_finite_give_none_and_a_note(case: tuple[Tensor, Tensor]) -> None:
    logits, labels = case
    logits[3, 2] = math.nan
    values, notes = measure(COMPONENT, result(logits, labels))
    assert [value.value for value in values] == [None] * 3
    assert notes == ["calibration: some logits are not finite"]


@pytest.mark.slow
def test_the_reliability_picture(case: tuple[Tensor, Tensor]) -> None:
    saved: list[tuple[str, Any, str]] = []

    class Kept:
        def save(self, *given: Any) -> None:
            saved.append(given)

    context = MetricContext(
        seed=0,
        device=torch.device("cpu"),
        accelerator=cast(Any, None),
        artifacts=cast(Any, Kept()),
    )
    list(COMPONENT.measure(result(*case), context, CalibrationOptions()))
    ((name, image, caption),) = saved
    assert name == "reliability.png"
    assert "800 test images in 15 bins" in caption
    pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[0] > 400
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10
