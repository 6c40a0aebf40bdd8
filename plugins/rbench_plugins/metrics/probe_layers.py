"""Top-1 accuracy of the probe on each layer."""

from __future__ import annotations

import math

from rbench import Metric, MetricContext, MetricValue, NoOptions
from rbench_plugins.probing.outcome import ProbeOutcome


def measure(outcome: ProbeOutcome, context: MetricContext, options: NoOptions) -> list[MetricValue]:
    """One value per layer, ``probe_top1@LAYER`` in percent, with its binomial standard error.

    ``details`` has the number of features that the probe reads there.
    """
    values = []
    for one in outcome.layers:
        share = one.correct / one.images
        values.append(
            MetricValue(
                name=f"probe_top1@{one.layer}",
                value=100 * share,
                unit="%",
                higher_is_better=True,
                n=one.images,
                uncertainty=100 * math.sqrt(share * (1 - share) / one.images),
                uncertainty_kind="binomial standard error over images",
                details={"features": one.features},
            )
        )
    return values


COMPONENT = Metric(
    name="probe_layers",
    summary="Top-1 accuracy of the probe on each layer of the network.",
    measure=measure,
    reads=ProbeOutcome,
)
