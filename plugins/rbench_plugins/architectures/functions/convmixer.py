"""Builds the network that ``architectures/convmixer.py`` describes."""

from __future__ import annotations

from timm.models.convmixer import ConvMixer
from torch import nn

from rbench import BuildContext, UserError
from rbench_plugins.architectures.convmixer import ConvMixerOptions


def build(context: BuildContext, options: ConvMixerOptions) -> nn.Module:
    """timm's ConvMixer (Trockman and Kolter, arXiv 2201.09792), drawn as timm draws it."""
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
