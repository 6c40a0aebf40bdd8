"""The cost of a stylized picture: seconds, and passes through a network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rbench import Metric, MetricContext, MetricValue
from rbench_plugins.stylization.outcome import StylizationOutcome


def measure(
    outcome: StylizationOutcome, context: MetricContext, options: Any
) -> Iterator[MetricValue]:
    """``seconds_per_image`` on this machine, ``passes_per_image`` on any.

    A pass is one forward or backward pass through encoder, decoder or loss network. Passes
    differ in cost, so compare seconds where the machine is the same.
    """
    n = outcome.outputs.shape[0] * outcome.outputs.shape[1]
    yield MetricValue(
        name="seconds_per_image",
        value=outcome.seconds_per_image,
        unit="s",
        higher_is_better=False,
        n=n,
    )
    yield MetricValue(
        name="passes_per_image",
        value=outcome.passes_per_image,
        higher_is_better=False,
        n=n,
    )


COMPONENT = Metric(
    name="stylization_cost",
    summary="Seconds and network passes per stylized picture.",
    measure=measure,
    reads=StylizationOutcome,
)
