"""Distance of a picture's style to the style image's, in networks that no method optimizes."""

from __future__ import annotations

from pydantic import Field

from rbench import Metric, Options
from rbench_plugins.stylization.outcome import StylizationOutcome


class StyleDistanceOptions(Options):
    """Options of ``style_distance``."""

    judges: int = Field(3, ge=1, le=32, description="random reference networks, always the same")


COMPONENT = Metric(
    name="style_distance",
    summary="Gram and moment distance to the style in fixed random networks.",
    measure="rbench_plugins.metrics.functions.style_distance:measure",
    reads=StylizationOutcome,
    options=StyleDistanceOptions,
)
