"""Any folder of images: ``train/<class>/<image>`` and ``test/`` or ``val/`` likewise."""

from __future__ import annotations

from pydantic import Field

from rbench import Dataset, Options


class FolderOptions(Options):
    """Options of ``image_folder``."""

    hflip: float = Field(
        0.5, ge=0, le=1, description="flip probability in training, if the recipe has none"
    )
    crop_pad: int | None = Field(
        None,
        ge=0,
        description="zero padding of random crops in pixels, if the recipe has none; default: an "
        "eighth of a side",
    )
    stream: bool | None = Field(
        None,
        description="read images when they are needed; default: if all take 2 GiB or more",
    )
    crop_pct: float = Field(
        0.875, gt=0, le=1, description="center crop of streamed images in evaluation"
    )
    check: bool = Field(
        True,
        exclude=True,  # changes no number
        description="decode streamed images once before training, to find broken ones",
    )


COMPONENT = Dataset(
    name="image_folder",
    title="a folder of images",
    summary="Your own images: train/<class>/ and test/<class>/ or val/<class>/.",
    open="rbench_plugins.datasets.functions.image_folder:open_folder",
    options=FolderOptions,
    identity="rbench_plugins.datasets.identity.image_folder:identity",
    recipe="lowres",
)
