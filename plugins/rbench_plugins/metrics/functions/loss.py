"""Measures what ``metrics/loss.py`` describes."""

from __future__ import annotations

import math

from torch.nn.functional import cross_entropy

from rbench import ClassificationOutcome, MetricContext, MetricValue, NoOptions


def measure(
    outcome: ClassificationOutcome, context: MetricContext, options: NoOptions
) -> list[MetricValue]:
    """Mean over the test images of -log softmax(logits)[label], in nats, without smoothing."""
    losses = cross_entropy(outcome.logits.double(), outcome.labels, reduction="none")
    mean, n = float(losses.mean()), len(losses)
    if not math.isfinite(mean):
        context.note("the test loss is not finite")
        return [MetricValue(name="loss", value=None, unit="nat", higher_is_better=False, n=n)]
    return [
        MetricValue(
            name="loss",
            value=mean,
            unit="nat",
            higher_is_better=False,
            n=n,
            uncertainty=float(losses.std()) / math.sqrt(n) if n > 1 else None,
            uncertainty_kind="standard error over images" if n > 1 else None,
        )
    ]
