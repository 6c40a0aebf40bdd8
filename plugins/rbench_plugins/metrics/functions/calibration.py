"""Measures what ``metrics/calibration.py`` describes."""

from __future__ import annotations

import math
from io import BytesIO

import torch
from matplotlib.figure import Figure
from PIL import Image as Images
from PIL.Image import Image
from pydantic import JsonValue
from torch import Tensor

from rbench import ClassificationOutcome, MetricContext, MetricValue
from rbench_plugins.metrics.calibration import CalibrationOptions


def measure(
    outcome: ClassificationOutcome, context: MetricContext, options: CalibrationOptions
) -> list[MetricValue]:
    """``ece``, ``brier`` and ``nll`` of softmax(logits) on the whole test set.

    ``ece`` in percentage points: the mean over images of |confidence - accuracy| of their bin
    (Guo et al. 2017, equation 3). ``brier``: the squared distance to the one-hot
    label, summed over classes, in [0, 2]. ``nll`` in nats. The reliability picture shows
    accuracy against confidence by bin; ``details.bins`` has its numbers.
    """
    logits, labels = outcome.logits.double(), outcome.labels
    n, classes = logits.shape
    if not logits.isfinite().all():
        context.note("calibration: some logits are not finite")
        return [_value(name, None, n) for name in ("ece", "brier", "nll")]
    probabilities = logits.softmax(1)
    confidence, predicted = probabilities.max(1)
    right = (predicted == labels).double()
    bins = reliability(confidence, right, options.bins)
    ece = expected_calibration_error(bins)
    one_hot = torch.nn.functional.one_hot(labels, classes)
    brier = (probabilities - one_hot).square().sum(1)
    nll = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    context.artifacts.save(
        "reliability.png",
        draw(bins, options.bins),
        f"accuracy against confidence of {n} test images in {options.bins} bins, ECE "
        f"{100 * ece:.2f} points",
    )
    details: dict[str, JsonValue] = {
        "bins": [dict(row) for row in bins],
        "mean_confidence": float(confidence.mean()),
    }
    return [
        _value("ece", 100 * ece, n, unit="points", details=details),
        _value("brier", float(brier.mean()), n, _error(brier)),
        _value("nll", float(nll.mean()), n, _error(nll), unit="nat"),
    ]


def reliability(confidence: Tensor, right: Tensor, bins: int) -> list[dict[str, float]]:
    """Bins (low, high] that hold images: their number, mean confidence and accuracy."""
    edges = torch.linspace(0, 1, bins + 1, dtype=confidence.dtype)
    at = (torch.bucketize(confidence, edges) - 1).clamp(0, bins - 1)
    rows = []
    for index in at.unique().tolist():
        inside = at == index
        rows.append(
            {
                "low": index / bins,
                "images": int(inside.sum()),
                "confidence": float(confidence[inside].mean()),
                "accuracy": float(right[inside].mean()),
            }
        )
    return rows


def expected_calibration_error(rows: list[dict[str, float]]) -> float:
    """Guo et al.'s equation 3, in [0, 1], of the bins of :func:`reliability`.

    In float64: torchmetrics rounds to float32, and confidences that become 1 get a bin of their
    own, which is wrong for networks that are nearly certain.
    """
    gaps = [row["images"] * abs(row["accuracy"] - row["confidence"]) for row in rows]
    return math.fsum(gaps) / sum(row["images"] for row in rows)


def draw(rows: list[dict[str, float]], bins: int) -> Image:
    """The reliability diagram: bars of accuracy, the diagonal, and the share of images below."""
    figure = Figure(figsize=(4, 4.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    left = [row["low"] for row in rows]
    width = 1 / bins
    above.bar(left, [row["accuracy"] for row in rows], width, align="edge", edgecolor="white")
    above.plot([0, 1], [0, 1], "k--", linewidth=1)
    above.plot([row["confidence"] for row in rows], [row["accuracy"] for row in rows], "k.")
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    total = sum(row["images"] for row in rows)
    below.bar(left, [row["images"] / total for row in rows], width, align="edge", color="0.6")
    below.set(ylabel="images", xlabel="confidence")
    file = BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return Images.open(file)


def _error(values: Tensor) -> float | None:
    return float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else None


def _value(
    name: str,
    value: float | None,
    n: int,
    error: float | None = None,
    unit: str = "",
    details: JsonValue = None,
) -> MetricValue:
    return MetricValue(
        name=name,
        value=value,
        unit=unit,
        higher_is_better=False,
        n=n,
        uncertainty=error,
        uncertainty_kind=None if error is None else "standard error over images",
        details=details,
    )
