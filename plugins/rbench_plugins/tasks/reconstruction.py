"""Reconstruct images by a CNN-DCN, untrained or with a DCN that learns it (P1 sections 3, 4)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rbench import Options, Task
from rbench_plugins.images.outcome import ReconstructionOutcome

Mapping = Literal["minmax", "grey_matched", "relu_minmax", "clamp", "sigmoid", "affine_fit"]


class ReconstructionOptions(Options):
    """Options of ``reconstruction``."""

    train: bool = Field(False, description="train what is not frozen (the DCN) first")
    networks: int = Field(1, ge=1, le=10_000, description="random networks to draw and measure")
    mapping: Mapping | None = Field(
        None, description="output to image; none: clamp if trained, else grey_matched"
    )
    compare: tuple[Mapping, ...] | None = Field(
        None, description="mappings measured beside it; none: all others if untrained"
    )
    images: int | None = Field(
        None, ge=1, description="how many images to reconstruct, evenly spaced over the dataset"
    )
    dtype: Literal["float32", "bfloat16"] = Field(
        "float32", description="of the convolutions; mapping and metrics are in float32"
    )


COMPONENT = Task(
    name="reconstruction",
    summary="Reconstruct images by a random or trained CNN-DCN (P1).",
    question="Reconstruction",
    run="rbench_plugins.tasks.functions.reconstruction:run",
    produces=ReconstructionOutcome,
    options=ReconstructionOptions,
    dataset="photographs",
    metrics=("ssim", "psnr", "mse", "squared_error"),
    recipe="p1_dcn",
    trains=lambda options: options.train,
    labels=False,
    revision=2,
)
