"""Builds the network that ``architectures/resnet_cifar.py`` describes."""

from __future__ import annotations

from functools import partial

from torch import nn

import rbench_plugins.layers.timm_entry  # noqa: F401  registers the name for exports
from rbench import BuildContext
from rbench_plugins.architectures.resnet_cifar import ResNetCifarOptions
from rbench_plugins.layers.cifar_resnet import CifarResNet, plain_conv
from rbench_plugins.layers.lc.scaled_conv import as_lc
from rbench_plugins.layers.lc.shape import ConvShape


def build(context: BuildContext, options: ResNetCifarOptions) -> nn.Module:
    """Draws from the global generator, PyTorch's default distribution (P2 eq. 3)."""
    make = plain_conv
    if options.grad_scale_as_lc is not None:
        scaled = partial(as_lc, options.grad_scale_as_lc)

        def make(shape: ConvShape, name: str) -> nn.Module:
            return scaled(shape)

    return CifarResNet(
        options.depth,
        options.width,
        options.kernel_size,
        options.shortcut,
        context.in_chans,
        context.num_classes,
        make,
    )
