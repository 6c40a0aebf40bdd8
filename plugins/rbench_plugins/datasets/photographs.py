"""Photographs that come inside scikit-image and scikit-learn: nothing to download, the cat first.

The reconstructions of P1 are judged on photographs. ``test`` holds eight whole ones; ``train``
holds random crops of the others, so that a DCN can be trained anywhere and is judged on images
that it has not seen.
"""

from __future__ import annotations

from pydantic import Field

from rbench import Dataset, Options

TEST = {
    "cat": "chelsea.png",
    "astronaut": "astronaut.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
    "china": "china.jpg",
    "flower": "flower.jpg",
    "camera": "camera.png",
    "motorcycle": "motorcycle_left.png",
}


class PhotographOptions(Options):
    """Options of ``photographs``."""

    images: int = Field(len(TEST), ge=1, le=len(TEST), description="test photographs, cat first")
    crops: int = Field(512, ge=1, le=100_000, description="training crops of other photographs")


COMPONENT = Dataset(
    name="photographs",
    summary="Eight photographs embedded in scikit-image and scikit-learn, the cat first.",
    open="rbench_plugins.datasets.functions.photographs:open_photographs",
    options=PhotographOptions,
    recipe="p1_dcn",
    needs_data_dir=False,
)
