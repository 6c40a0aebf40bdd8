"""How similar a picture is to its content: SSIM of grey images, and a distance of features."""

from __future__ import annotations

from pydantic import Field

from rbench import Metric, Options
from rbench_plugins.stylization.outcome import StylizationOutcome


class ContentSimilarityOptions(Options):
    """Options of ``content_similarity``."""

    judges: int = Field(3, ge=1, le=32, description="random reference networks, always the same")


COMPONENT = Metric(
    name="content_similarity",
    summary="SSIM to the gray content and feature distance to it in fixed random networks.",
    measure="rbench_plugins.metrics.functions.content_similarity:measure",
    reads=StylizationOutcome,
    options=ContentSimilarityOptions,
)
