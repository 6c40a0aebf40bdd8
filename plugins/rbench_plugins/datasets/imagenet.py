"""ImageNet-1k (ILSVRC 2012) as everybody unpacks it: ``train/<wnid>/`` and ``val/<wnid>/``."""

from __future__ import annotations

from pydantic import Field

from rbench import Dataset, Options


class ImageNetOptions(Options):
    """Options of ``imagenet``."""

    crop_pct: float = Field(
        0.95, gt=0, le=1, description="center crop in evaluation (ResNet strikes back: 0.95)"
    )
    check: bool = Field(
        False,
        exclude=True,  # changes no number
        description="decode all images once before training, to find broken ones",
    )


COMPONENT = Dataset(
    name="imagenet",
    title="ImageNet",
    summary="ImageNet-1k in class folders, streamed (1,281,167 train, 50,000 val).",
    open="rbench_plugins.datasets.functions.imagenet:open_imagenet",
    options=ImageNetOptions,
    identity="rbench_plugins.datasets.identity.imagenet:identity",
    recipe="a2",
)
