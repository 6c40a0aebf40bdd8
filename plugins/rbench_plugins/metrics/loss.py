"""Cross-entropy on the test set."""

from __future__ import annotations

from rbench import ClassificationOutcome, Metric

COMPONENT = Metric(
    name="loss",
    summary="Mean cross-entropy on the test set, in nats.",
    measure="rbench_plugins.metrics.functions.loss:measure",
    reads=ClassificationOutcome,
)
