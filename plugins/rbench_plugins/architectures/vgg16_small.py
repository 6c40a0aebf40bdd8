"""VGG16 for small images: P1's CNN as a classifier that can be trained on two cores.

The 13 convolutions of VGG16 at any width, then the mean over pixels and one linear layer in
place of its three (which need 224 pixels). Its checkpoint is what ``vgg_dcn`` takes.
"""

from __future__ import annotations

from pydantic import Field

from rbench import Architecture, Options


class Vgg16SmallOptions(Options):
    """Options of ``vgg16_small``."""

    width: int | tuple[int, ...] | None = Field(
        None, description="channels: one number for all layers, or one a block; none: VGG16's own"
    )


COMPONENT = Architecture(
    name="vgg16_small",
    summary="VGG16's convolutions at any width, mean over pixels, one linear layer.",
    title="Small VGG16",
    build="rbench_plugins.architectures.functions.vgg16_small:build",
    options=Vgg16SmallOptions,
)
