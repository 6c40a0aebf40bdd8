"""VGG16 for small images: P1's CNN as a classifier that can be trained on two cores.

The 13 convolutions of VGG16 at any width, then the mean over pixels and one linear layer in
place of its three (which need 224 pixels). Its checkpoint is what ``vgg_dcn`` takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Architecture, BuildContext, Options

if TYPE_CHECKING:
    from torch import nn


class Vgg16SmallOptions(Options):
    """Options of ``vgg16_small``."""

    width: int | tuple[int, ...] | None = Field(
        None, description="channels: one number for all layers, or one a block; none: VGG16's own"
    )


def build(context: BuildContext, options: Vgg16SmallOptions) -> nn.Module:
    """Normalized images (B, in_chans, H, W) -> logits (B, num_classes). He's weights."""
    from torch import nn

    from rbench_plugins.layers.cnn_dcn.plan import Conv, Pool, Step, vgg16

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


COMPONENT = Architecture(
    name="vgg16_small",
    summary="VGG16's convolutions at any width, mean over pixels, one linear layer.",
    title="small VGG16",
    build=build,
    options=Vgg16SmallOptions,
)
