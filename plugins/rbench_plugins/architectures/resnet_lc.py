"""ResNet-LC-D-WxE (P2 section 4): the CIFAR-ResNet with LC-blocks for spatial convolutions.

``resnet_lc_20_16x128`` names depth, width and expansion; ``_k5`` at its end the kernel size.
"""

from __future__ import annotations

import re

from rbench import Architecture, ArchitectureFamily
from rbench_plugins.architectures.cifar_options import CifarResNetOptions
from rbench_plugins.layers.lc.options import LCOptions


class ResNetLCOptions(LCOptions, CifarResNetOptions):
    """Shape of the network and execution of its LC-blocks."""


SUMMARY = "CIFAR-ResNet whose spatial convolutions are LC-blocks (P2)"
REVISION = 2
TITLE = "ResNet-{depth}-{width}"
COMPONENT = Architecture(
    name="resnet_lc",
    summary=SUMMARY,
    build="rbench_plugins.architectures.functions.resnet_lc:build",
    options=ResNetLCOptions,
    revision=REVISION,
    title=TITLE,
)
_NAME = re.compile(r"resnet_lc_(\d{1,5})_(\d{1,5})(?:x(\d{1,8}))?(?:_k(\d{1,3}))?")


def member(name: str) -> Architecture | None:
    """``resnet_lc_D_W``, ``resnet_lc_D_WxE``, and either with ``_kK``."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    depth, width, expansion, kernel = found.groups()
    defaults = {"depth": int(depth), "width": int(width), "expansion": int(expansion or 1)}
    return Architecture(
        name=name,
        summary=SUMMARY,
        build="rbench_plugins.architectures.functions.resnet_lc:build",
        options=ResNetLCOptions,
        title=TITLE,
        defaults=defaults | {"kernel_size": int(kernel or 3)},
        revision=REVISION,
    )


FAMILY = ArchitectureFamily(
    name="resnet_lc_*",
    summary="ResNet-LC by the paper's spelling: resnet_lc_20_16x128, resnet_lc_20_16x128_k5",
    names=lambda: ["resnet_lc_20_16x128"],
    member=member,
)
