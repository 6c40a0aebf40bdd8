"""Robust accuracy under projected gradient descent (Madry et al., arXiv 1706.06083)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rbench import ClassificationOutcome, Metric
from rbench_plugins.attacks.options import OptionalImages


class PgdOptions(OptionalImages):
    """Options of ``pgd``."""

    steps: int = Field(20, ge=1, le=10_000, description="gradient steps of each restart")
    restarts: int = Field(
        1, ge=1, le=1000, description="random starts; an image is robust if it resists all"
    )
    step_size: float | None = Field(
        None, gt=0, le=1, description="change of a pixel per step; none: 2.5 epsilon / steps"
    )
    engine: Literal["torchattacks", "foolbox"] = Field(
        "torchattacks", description="whose implementation; foolbox is the extra rbench[foolbox]"
    )
    check_images: int = Field(
        100,
        ge=0,
        description="attack this many evenly spaced images with epsilon 0.5 as well, which only "
        "masked gradients resist; 0: no check",
    )

    def step(self, epsilon: float) -> float:
        """The step size for ``epsilon``."""
        return 2.5 * epsilon / self.steps if self.step_size is None else self.step_size


COMPONENT = Metric(
    name="pgd",
    summary="Accuracy in percent under projected gradient descent on [0, 1] pixels.",
    measure="rbench_plugins.metrics.functions.pgd:measure",
    reads=ClassificationOutcome,
    options=PgdOptions,
)
