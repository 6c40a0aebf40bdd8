"""P1's reconstruction loss: squared error summed over an image's pixels (equation 1, fig. 11)."""

from __future__ import annotations

from rbench import Metric
from rbench_plugins.images.outcome import ReconstructionOutcome

COMPONENT = Metric(
    name="squared_error",
    summary="P1's reconstruction loss on validation and training images.",
    measure="rbench_plugins.metrics.functions.squared_error:measure",
    reads=ReconstructionOutcome,
)
