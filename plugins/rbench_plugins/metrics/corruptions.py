"""Accuracy on corrupted test images (Hendrycks and Dietterich, arXiv 1903.12261)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from rbench import ClassificationOutcome, Metric, Options


class CorruptionsOptions(Options):
    """Options of ``corruptions``."""

    images: int = Field(
        1000,
        ge=1,
        description="corrupt this many test images, evenly spaced in the dataset's order and the "
        "same for every run; each is classified 75 times",
    )
    seed: int = Field(0, ge=0, description="of the corruptions; not the run's seed")
    folder: Path | None = Field(
        None, description="read CIFAR-10-C or CIFAR-100-C from this folder's .npy files instead"
    )


COMPONENT = Metric(
    name="corruptions",
    summary="Mean accuracy in percent over 15 corruptions in 5 severities; mCE for ImageNet.",
    measure="rbench_plugins.metrics.functions.corruptions:measure",
    reads=ClassificationOutcome,
    options=CorruptionsOptions,
)
