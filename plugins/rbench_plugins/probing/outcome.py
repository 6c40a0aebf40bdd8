"""What the task ``probe`` hands to metrics."""

from __future__ import annotations

from dataclasses import dataclass, field

from rbench import ClassificationOutcome


@dataclass(frozen=True)
class LayerProbe:
    """A probe on one layer: its number of features and its correct answers on the test set."""

    layer: str
    features: int
    correct: int
    images: int


@dataclass(kw_only=True)
class ProbeOutcome(ClassificationOutcome):
    """A classifier made of the network's features at the last layer asked for, and a probe.

    ``layers`` has the probe of every layer, in the order in which they were asked for.
    """

    layers: list[LayerProbe] = field(default_factory=list)
