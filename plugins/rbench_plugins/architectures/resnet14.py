"""ResNet-14 for 32-pixel images: basic blocks [2, 2, 2] at 64, 128 and 256 channels (P2 Fig 1a)."""

from __future__ import annotations

from pydantic import Field

from rbench import Architecture, Options


class ResNet14Options(Options):
    """The stem of the low-resolution form."""

    max_pool: bool = Field(
        True, description="3x3 max pool of stride 2 after the stem, as in the authors' code"
    )


COMPONENT = Architecture(
    name="resnet14",
    summary="ResNet-14 for small images, basic blocks [2, 2, 2] (P2 Fig 1a)",
    title="ResNet-14",
    build="rbench_plugins.architectures.functions.resnet14:build",
    options=ResNet14Options,
)
