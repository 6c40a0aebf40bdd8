"""Robust accuracy under AutoAttack (Croce and Hein 2020, arXiv 2003.01690)."""

from __future__ import annotations

from pydantic import Field

from rbench import ClassificationOutcome, Metric
from rbench_plugins.attacks.options import AttackOptions


class AutoAttackOptions(AttackOptions):
    """Options of ``autoattack``."""

    images: int = Field(
        1000,
        ge=1,
        description="attack this many test images, evenly spaced in the dataset's order and the "
        "same for every run; a robust image takes about 7,000 forward passes",
    )
    steps: int = Field(100, ge=1, le=10_000, description="steps of APGD and FAB (the paper: 100)")
    queries: int = Field(5000, ge=1, description="queries of the Square attack (the paper: 5000)")


COMPONENT = Metric(
    name="autoattack",
    summary="Accuracy in percent under AutoAttack (APGD, FAB, Square) on [0, 1] pixels.",
    measure="rbench_plugins.metrics.functions.autoattack:measure",
    reads=ClassificationOutcome,
    options=AutoAttackOptions,
)
