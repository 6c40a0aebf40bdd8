"""``theory``: P1's theorems against the network, image by image (section 5, appendix A.3)."""

from __future__ import annotations

from collections.abc import Iterable

from rbench import ImagesOutcome, Metric, MetricContext, MetricValue
from rbench_plugins.theory.options import TheoryOptions


def measure(
    outcome: ImagesOutcome, context: MetricContext, options: TheoryOptions
) -> Iterable[MetricValue]:
    """Angles, bounds, prediction and their failures; f is the network's own, unmapped output."""
    from rbench_plugins.theory.values import values

    return values(outcome, context, options)


COMPONENT = Metric(
    name="theory",
    summary="Convergence value, bounds and prediction of P1's theorems beside the measured angles.",
    measure=measure,
    reads=ImagesOutcome,
    options=TheoryOptions,
)
