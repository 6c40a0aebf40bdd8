"""How far the predicted probabilities agree with the accuracy: ECE, Brier score, NLL."""

from __future__ import annotations

from pydantic import Field

from rbench import ClassificationOutcome, Metric, Options


class CalibrationOptions(Options):
    """Options of ``calibration``."""

    bins: int = Field(15, ge=1, le=1000, description="bins of equal width for the confidence")


COMPONENT = Metric(
    name="calibration",
    summary="Calibration of the probabilities: ECE, Brier score, NLL, reliability picture.",
    measure="rbench_plugins.metrics.functions.calibration:measure",
    reads=ClassificationOutcome,
    options=CalibrationOptions,
)
