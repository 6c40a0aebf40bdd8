"""Builds the network that ``architectures/dip_skip.py`` describes."""

from __future__ import annotations

from torch import nn

from rbench import BuildContext, UserError
from rbench_plugins.architectures.dip_skip import DipSkipOptions
from rbench_plugins.layers.skip_net import SkipNet


def build(context: BuildContext, options: DipSkipOptions) -> nn.Module:
    """Draws from the global generator, PyTorch's default distribution."""
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
