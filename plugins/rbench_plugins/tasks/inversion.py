"""``inversion``: recover images from a network's features by optimizing pixels."""

from __future__ import annotations

from pydantic import Field

from rbench import Options, Task
from rbench_plugins.restoration.outcome import RestorationOutcome


class InversionOptions(Options):
    """Which features, and how the pixels are optimized."""

    layer: str | None = Field(
        None, description="a module's name, such as layer3.1.conv2; none: the last convolution"
    )
    steps: int = Field(200, ge=1, le=100_000, description="of L-BFGS")
    smooth: float = Field(
        0.01, ge=0, description="weight of the total variation against the features' distance"
    )
    images: int = Field(1, ge=1, description="how many, evenly spaced over the test images")


COMPONENT = Task(
    name="inversion",
    summary="Recover images from a network's features by optimizing pixels.",
    question="Reconstruction",
    run="rbench_plugins.tasks.functions.inversion:run",
    produces=RestorationOutcome,
    options=InversionOptions,
    dataset="photographs",
    metrics=("psnr", "ssim"),
    trains=lambda options: False,
    labels=False,
)
