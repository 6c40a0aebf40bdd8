"""What a stylized picture takes: seconds, and passes through a network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rbench import Metric, MetricContext, MetricValue, StylizationOutcome


def measure(
    outcome: StylizationOutcome, context: MetricContext, options: Any
) -> Iterator[MetricValue]:
    """``seconds_per_image`` by this machine, ``passes_per_image`` anywhere.

    A pass is one way, forth or back, through encoder, decoder or loss network; they are of
    different cost, so seconds decide.
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
    summary="Seconds and network passes a stylized picture.",
    measure=measure,
    reads=StylizationOutcome,
)
