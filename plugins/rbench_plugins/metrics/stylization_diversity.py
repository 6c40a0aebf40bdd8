"""How much the pictures that several random networks make of one pair differ (P1 Fig 17)."""

from __future__ import annotations

from rbench import Metric
from rbench_plugins.stylization.outcome import StylizationOutcome

COMPONENT = Metric(
    name="stylization_diversity",
    summary="Differences between the pictures of several random networks.",
    measure="rbench_plugins.metrics.functions.stylization_diversity:measure",
    reads=StylizationOutcome,
)
