"""The network of Deep Image Prior: noise in, an image out."""

from __future__ import annotations

from pydantic import Field

from rbench import Architecture, Options


class DipSkipOptions(Options):
    """Shape of the hourglass."""

    input_channels: int = Field(32, ge=1, le=512, description="channels of the noise")
    scales: int = Field(5, ge=1, le=8, description="how often the maps are halved")
    width: int = Field(128, ge=1, le=1024, description="channels of every scale")
    skip: int = Field(4, ge=0, le=1024, description="channels of the skip connections; 0: none")


COMPONENT = Architecture(
    name="dip_skip",
    summary="Hourglass with skip connections of Deep Image Prior: noise in, an image out.",
    title="Hourglass",
    build="rbench_plugins.architectures.functions.dip_skip:build",
    options=DipSkipOptions,
)
