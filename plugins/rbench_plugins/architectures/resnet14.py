"""ResNet-14 for 32-pixel images: basic blocks [2, 2, 2] at 64, 128 and 256 channels (P2 Fig 1a)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Architecture, BuildContext, Options

if TYPE_CHECKING:
    from torch import nn


class ResNet14Options(Options):
    """The stem of the low-resolution form."""

    max_pool: bool = Field(
        True, description="3x3 max pool of stride 2 after the stem, as in the authors' code"
    )


def build(context: BuildContext, options: ResNet14Options) -> nn.Module:
    """timm's ResNet without its fourth stage, with a 3x3 stem of stride 1.

    Convolutions are drawn by PyTorch's default law (P2 eq. 3), not by timm's.
    """
    from timm.models.resnet import BasicBlock, ResNet
    from torch import nn

    network: nn.Module = ResNet(
        BasicBlock,
        layers=[2, 2, 2],
        channels=(64, 128, 256),
        in_chans=context.in_chans,
        num_classes=context.num_classes,
        zero_init_last=False,
    )
    network.conv1 = nn.Conv2d(context.in_chans, 64, 3, padding=1, bias=False)
    network.layer4 = nn.Identity()  # timm's forward pass asks for it
    if not options.max_pool:
        network.maxpool = nn.Identity()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.reset_parameters()
    return network


COMPONENT = Architecture(
    name="resnet14",
    summary="ResNet-14 for small images, basic blocks [2, 2, 2] (P2 Fig 1a)",
    title="ResNet-14",
    build=build,
    options=ResNet14Options,
)
