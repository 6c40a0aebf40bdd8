"""ConvMixer of any width, depth and kernel size, of which timm has three."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rbench import Architecture, BuildContext, Options, UserError

if TYPE_CHECKING:
    from torch import nn


class ConvMixerOptions(Options):
    """Shape of the network."""

    dim: int = Field(256, ge=1, le=8192, description="channels of every layer")
    depth: int = Field(8, ge=1, le=256, description="blocks, each depthwise and then 1x1")
    kernel_size: int = Field(9, ge=1, le=31, description="of the depthwise convolutions")
    patch_size: int = Field(
        1, ge=1, le=32, description="pixels of a patch; 1 suits 32-pixel images"
    )
    activation: Literal["gelu", "relu"] = "gelu"


def build(context: BuildContext, options: ConvMixerOptions) -> nn.Module:
    """timm's ConvMixer (Trockman and Kolter, arXiv 2201.09792), drawn as timm draws it."""
    from timm.models.convmixer import ConvMixer
    from torch import nn

    if min(context.img_size) < options.patch_size:
        raise UserError(f"patch_size={options.patch_size} is larger than the images")
    network: nn.Module = ConvMixer(
        options.dim,
        options.depth,
        kernel_size=options.kernel_size,
        patch_size=options.patch_size,
        in_chans=context.in_chans,
        num_classes=context.num_classes,
        act_layer=nn.GELU if options.activation == "gelu" else nn.ReLU,
    )
    return network


COMPONENT = Architecture(
    name="convmixer",
    summary="ConvMixer of any width, depth, kernel and patch size; default ConvMixer-256/8.",
    title="ConvMixer-{width}/{depth}",
    build=build,
    options=ConvMixerOptions,
)
