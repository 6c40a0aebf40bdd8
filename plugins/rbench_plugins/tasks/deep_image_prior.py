"""``deep_image_prior``: restore images by fitting the network, from noise, to each of them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rbench import Options, Task
from rbench_plugins.restoration.outcome import RestorationOutcome


class DeepImagePriorOptions(Options):
    """What is wrong with the images, and how long the network is fitted to them."""

    degradation: Literal["denoise", "inpaint", "super_resolution"] = Field(
        "denoise", description="noise, missing pixels, or fewer pixels"
    )
    sigma: float = Field(25.0, gt=0, le=255, description="denoise: of the noise, out of 255")
    missing: float = Field(0.5, ge=0, lt=1, description="inpaint: share of the pixels")
    factor: int = Field(4, ge=2, le=16, description="super_resolution: along each side")
    steps: int = Field(3000, ge=1, le=1_000_000, description="of Adam")
    lr: float = Field(0.01, gt=0, description="learning rate")
    noise: float = Field(
        1 / 30, ge=0, description="standard deviation added to the network's input at each step"
    )
    average: float = Field(0.99, ge=0, lt=1, description="weight of the past in the average")
    output: Literal["average", "last", "oracle"] = Field(
        "average",
        description="what other metrics see: the outputs' running average, the last one, or (by "
        "the original, which is not at hand in practice) the best one",
    )
    backtrack: bool = Field(
        True, description="restore the last weights when the fit drops by 5 dB between checks"
    )
    images: int = Field(1, ge=1, description="how many, evenly spaced over the test images")


COMPONENT = Task(
    name="deep_image_prior",
    summary="Denoise, inpaint or enlarge images by fitting a network from noise to each.",
    question="Restoration",
    run="rbench_plugins.tasks.functions.deep_image_prior:run",
    produces=RestorationOutcome,
    options=DeepImagePriorOptions,
    dataset="photographs",
    metrics=("restoration",),
    trains=lambda options: False,
    learns=lambda options: True,
    labels=False,
)
