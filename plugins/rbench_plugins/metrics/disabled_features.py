"""Share of features that their norm layer switches off (Frankle, Schwab and Morcos 2021).

Networks whose norms alone learn drive the scale of part of their features to zero.
"""

from __future__ import annotations

from pydantic import Field

from rbench import Metric, Options

NAME = "disabled_features"


class DisabledOptions(Options):
    """Options of ``disabled_features``."""

    threshold: float = Field(0.01, gt=0, description="a feature with a smaller |gamma| is off")


COMPONENT = Metric(
    name=NAME,
    summary="Percentage of features that a norm layer switches off: |gamma| below 0.01.",
    measure="rbench_plugins.metrics.functions.disabled_features:measure",
    options=DisabledOptions,
)
