"""What a network costs: learnable parameters, floating-point operations, memory."""

from __future__ import annotations

from rbench import ClassificationOutcome, Metric

NAME = "cost"


COMPONENT = Metric(
    name=NAME,
    summary="Learnable parameters, FLOPs an image, memory for the gradient and at the peak.",
    measure="rbench_plugins.metrics.functions.cost:measure",
    reads=ClassificationOutcome,
    # Its numbers have changed since only where some entries of a tensor are fixed.
    revision=2,
)
