"""Builds the networks that ``architectures/small_cnns.py`` describes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from rbench import BuildContext
from rbench_plugins.architectures.small_cnns import SmallCnnOptions
from rbench_plugins.layers.cnn_dcn.plan import Conv, Pool, Step, alexnet, vgg16


def vgg16_small(context: BuildContext, options: SmallCnnOptions) -> nn.Module:
    """Normalized images (B, in_chans, H, W) -> logits (B, num_classes). He's weights."""
    plan = vgg16(5, None, options.width, 3, context.in_chans)
    return _classifier([*plan, Pool(2, 2)], context)


def alexnet_small(context: BuildContext, options: SmallCnnOptions) -> nn.Module:
    """Normalized images (B, in_chans, H, W), 19 pixels or more -> logits. He's weights.

    AlexNet's last pool is left out: at 32 pixels a map has one pixel there.
    """
    return _classifier(alexnet(5, None, options.width, None, context.in_chans), context)


def _classifier(steps: Sequence[Step], context: BuildContext) -> nn.Module:
    layers: list[nn.Module] = []
    width = context.in_chans
    for step in steps:
        if isinstance(step, Conv):
            conv = nn.Conv2d(
                step.inputs, step.outputs, step.kernel, step.stride, padding=step.padding
            )
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
            layers += [conv, nn.ReLU(inplace=True)]
            width = step.outputs
        else:
            layers.append(nn.MaxPool2d(step.kernel, step.stride, ceil_mode=True))
    network = nn.Sequential()
    network.add_module("features", nn.Sequential(*layers))
    network.add_module("pool", nn.AdaptiveAvgPool2d(1))
    network.add_module("flatten", nn.Flatten())
    head = nn.Linear(width, context.num_classes) if context.num_classes else nn.Identity()
    network.add_module("head", head)
    return network
