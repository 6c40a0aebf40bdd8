"""VGG16 and AlexNet for small images: P1's CNNs as classifiers that can be trained on two cores.

Their convolutions at any width, then the mean over pixels and one linear layer in place of their
three (which need 224 pixels). Their checkpoints are what ``vgg_dcn`` and ``alexnet_dcn`` take.
"""

from __future__ import annotations

from pydantic import Field

from rbench import Architecture, Options


class SmallCnnOptions(Options):
    """Options of ``vgg16_small`` and ``alexnet_small``."""

    width: int | tuple[int, ...] | None = Field(
        None, description="channels: one number for all layers, or one a block; none: its own"
    )


COMPONENTS = {
    name: Architecture(
        name=name,
        summary=f"{title}'s convolutions at any width, mean over pixels, one linear layer.",
        title=f"Small {title}",
        build=f"rbench_plugins.architectures.functions.small_cnns:{name}",
        options=SmallCnnOptions,
    )
    for name, title in (("vgg16_small", "VGG16"), ("alexnet_small", "AlexNet"))
}
