"""Top-5 accuracy."""

from __future__ import annotations

from rbench import ClassificationOutcome, Metric, MetricContext, MetricValue, NoOptions
from rbench_plugins.metrics.accuracy import accuracy, correct


def measure(
    outcome: ClassificationOutcome, context: MetricContext, options: NoOptions
) -> list[MetricValue]:
    """Percentage of test images whose label is among the five largest logits.

    With five classes or fewer this is 100 by definition, as it is in timm, and a note says so.
    """
    classes = outcome.logits.shape[1]
    if classes <= 5:
        context.note(f"top5 is 100 % by definition: there are only {classes} classes")
    return [accuracy("top5", correct(outcome.logits, outcome.labels, 5))]


COMPONENT = Metric(
    name="top5",
    summary="Top-5 accuracy in percent, with its binomial standard error.",
    measure=measure,
    reads=ClassificationOutcome,
)
