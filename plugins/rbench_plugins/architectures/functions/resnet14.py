"""Builds the network that ``architectures/resnet14.py`` describes."""

from __future__ import annotations

from timm.models.resnet import BasicBlock, ResNet
from torch import nn

from rbench import BuildContext
from rbench_plugins.architectures.resnet14 import ResNet14Options


def build(context: BuildContext, options: ResNet14Options) -> nn.Module:
    """timm's ResNet without its fourth stage, with a 3x3 stem of stride 1.

    Convolutions are drawn by PyTorch's default distribution (P2 eq. 3), not by timm's.
    """
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
