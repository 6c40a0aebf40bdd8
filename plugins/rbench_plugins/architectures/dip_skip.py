"""The network of Deep Image Prior: noise in, an image out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Architecture, BuildContext, Options, UserError

if TYPE_CHECKING:
    from torch import nn


class DipSkipOptions(Options):
    """Shape of the hourglass."""

    input_channels: int = Field(32, ge=1, le=512, description="channels of the noise")
    scales: int = Field(5, ge=1, le=8, description="how often the maps are halved")
    width: int = Field(128, ge=1, le=1024, description="channels of every scale")
    skip: int = Field(4, ge=0, le=1024, description="channels of the skip connections; 0: none")


def build(context: BuildContext, options: DipSkipOptions) -> nn.Module:
    """Draws from the global generator, PyTorch's default distribution."""
    from rbench_plugins.layers.skip_net import SkipNet

    # Reflected edges need two pixels at the coarsest scale.
    smallest = 2**options.scales + 1
    if min(context.img_size) < smallest:
        raise UserError(
            f"scales={options.scales} needs images of {smallest} pixels; --img-size is "
            f"{min(context.img_size)}"
        )
    return SkipNet(
        options.input_channels, context.in_chans, options.scales, options.width, options.skip
    )


COMPONENT = Architecture(
    name="dip_skip",
    summary="Hourglass with skip connections of Deep Image Prior: noise in, an image out.",
    title="hourglass",
    build=build,
    options=DipSkipOptions,
)
