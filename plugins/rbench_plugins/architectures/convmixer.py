"""ConvMixer of any width, depth and kernel size, of which timm has three."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rbench import Architecture, Options


class ConvMixerOptions(Options):
    """Shape of the network."""

    dim: int = Field(256, ge=1, le=8192, description="channels of every layer")
    depth: int = Field(8, ge=1, le=256, description="blocks, each depthwise and then 1x1")
    kernel_size: int = Field(9, ge=1, le=31, description="of the depthwise convolutions")
    patch_size: int = Field(
        1, ge=1, le=32, description="pixels of a patch; 1 suits 32-pixel images"
    )
    activation: Literal["gelu", "relu"] = "gelu"


COMPONENT = Architecture(
    name="convmixer",
    summary="ConvMixer of any width, depth, kernel and patch size; default ConvMixer-256/8.",
    title="ConvMixer-{dim}/{depth}",
    build="rbench_plugins.architectures.functions.convmixer:build",
    options=ConvMixerOptions,
)
