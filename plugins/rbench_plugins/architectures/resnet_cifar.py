"""The plain CIFAR-ResNet, P2's baseline; ``resnet_cifar_20_16`` names depth and width."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Architecture, ArchitectureFamily, BuildContext
from rbench_plugins.architectures.cifar_options import CifarResNetOptions

if TYPE_CHECKING:
    from torch import nn


class ResNetCifarOptions(CifarResNetOptions):
    """Shape and step size of the baseline."""

    grad_scale_as_lc: int | None = Field(
        None,
        ge=1,
        description="E: multiply every spatial convolution's gradient by E c_out/(3 c_in k^2), the "
        "step size that frozen LC-blocks with expansion E have in effect (none: plain)",
    )


def build(context: BuildContext, options: ResNetCifarOptions) -> nn.Module:
    """Draws from the global generator, PyTorch's default law (P2 eq. 3)."""
    from functools import partial

    import rbench_plugins.layers.timm_entry  # noqa: F401  registers the name for exports
    from rbench_plugins.layers.cifar_resnet import CifarResNet, plain_conv
    from rbench_plugins.layers.lc.scaled_conv import as_lc
    from rbench_plugins.layers.lc.shape import ConvShape

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


SUMMARY = "CIFAR-ResNet of any depth 6n+2 and width, the baseline of P2"
TITLE = "ResNet-{depth}-{width}"
COMPONENT = Architecture(
    name="resnet_cifar", summary=SUMMARY, build=build, options=ResNetCifarOptions, title=TITLE
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
        build=build,
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
