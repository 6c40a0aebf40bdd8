"""Builds the network that ``architectures/resnet_lc.py`` describes."""

from __future__ import annotations

from torch import nn

import rbench_plugins.layers.timm_entry  # noqa: F401  registers the name for exports
from rbench import BuildContext
from rbench_plugins.architectures.resnet_lc import ResNetLCOptions
from rbench_plugins.layers.cifar_resnet import CifarResNet
from rbench_plugins.layers.lc.make import LCMaker


def build(context: BuildContext, options: ResNetLCOptions) -> nn.Module:
    """LC-blocks draw from streams of their own, the rest from the global generator."""
    maker = LCMaker(options, context, count=options.depth - 1)
    return CifarResNet(
        options.depth,
        options.width,
        options.kernel_size,
        options.shortcut,
        context.in_chans,
        context.num_classes,
        maker.make,
    )
