"""The plain CIFAR-ResNet, P2's baseline; ``resnet_cifar_20_16`` names depth and width."""

from __future__ import annotations

import re

from pydantic import Field

from rbench import Architecture, ArchitectureFamily
from rbench_plugins.architectures.cifar_options import CifarResNetOptions


class ResNetCifarOptions(CifarResNetOptions):
    """Shape and step size of the baseline."""

    grad_scale_as_lc: int | None = Field(
        None,
        ge=1,
        description="E: multiply every spatial convolution's gradient by E c_out/(3 c_in k^2), the "
        "step size that frozen LC-blocks with expansion E have in effect (none: plain)",
    )


SUMMARY = "CIFAR-ResNet of any depth 6n+2 and width, the baseline of P2"
TITLE = "ResNet-{depth}-{width}"
COMPONENT = Architecture(
    name="resnet_cifar",
    summary=SUMMARY,
    build="rbench_plugins.architectures.functions.resnet_cifar:build",
    options=ResNetCifarOptions,
    title=TITLE,
)
_NAME = re.compile(r"resnet_cifar_(\d{1,5})_(\d{1,5})(?:_k(\d{1,3}))?")


def member(name: str) -> Architecture | None:
    """``resnet_cifar_D_W`` or ``resnet_cifar_D_W_kK``."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    depth, width, kernel = found.groups(default="3")
    defaults = {"depth": int(depth), "width": int(width), "kernel_size": int(kernel)}
    return Architecture(
        name=name,
        summary=SUMMARY,
        build="rbench_plugins.architectures.functions.resnet_cifar:build",
        options=ResNetCifarOptions,
        defaults=defaults,
        title=TITLE,
    )


FAMILY = ArchitectureFamily(
    name="resnet_cifar_*",
    summary="CIFAR-ResNet by depth and width: resnet_cifar_20_16, resnet_cifar_20_16_k5",
    names=lambda: ["resnet_cifar_20_16"],
    member=member,
)
