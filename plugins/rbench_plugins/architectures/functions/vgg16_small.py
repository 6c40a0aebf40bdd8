"""Builds the network that ``architectures/vgg16_small.py`` describes."""

from __future__ import annotations

from torch import nn

from rbench import BuildContext
from rbench_plugins.architectures.vgg16_small import Vgg16SmallOptions
from rbench_plugins.layers.cnn_dcn.plan import Conv, Pool, Step, vgg16


def build(context: BuildContext, options: Vgg16SmallOptions) -> nn.Module:
    """Normalized images (B, in_chans, H, W) -> logits (B, num_classes). He's weights."""
    plan = vgg16(5, None, options.width, 3, context.in_chans)
    steps: list[Step] = [*plan, Pool(2, 2)]
    layers: list[nn.Module] = []
    width = context.in_chans
    for step in steps:
        if isinstance(step, Conv):
            conv = nn.Conv2d(step.inputs, step.outputs, step.kernel, padding=step.padding)
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
