"""Top-1 accuracy."""

from __future__ import annotations

from rbench import ClassificationOutcome, Metric, MetricContext, MetricValue, NoOptions
from rbench_plugins.metrics.accuracy import accuracy, correct


def measure(
    outcome: ClassificationOutcome, context: MetricContext, options: NoOptions
) -> list[MetricValue]:
    """Percentage of test images whose largest logit is the label's."""
    return [accuracy("top1", correct(outcome.logits, outcome.labels, 1))]


COMPONENT = Metric(
    name="top1",
    summary="Top-1 accuracy in percent, with its binomial standard error.",
    measure=measure,
    reads=ClassificationOutcome,
)
