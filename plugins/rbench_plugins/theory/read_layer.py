"""Read one layer of a network as the theory describes it."""

from __future__ import annotations

from typing import Any

from torch import nn

from rbench import UserError
from rbench_plugins.theory.constants import looks_gaussian
from rbench_plugins.theory.stack import Conv, Window

ACTIVATIONS = (nn.ReLU, nn.LeakyReLU)


def read_conv(name: str, module: nn.Conv2d, activation: nn.Module) -> Conv:
    """A convolution and its activation; UserError where it is none of the theory's."""
    if module.groups != 1 or module.dilation != (1, 1) or module.padding_mode != "zeros":
        raise UserError(
            f"the theory knows plain convolutions with zero padding; '{name}' is {module}"
        )
    weight = module.weight.detach().double()
    return Conv(
        window=window(module.kernel_size, module.stride, module.padding),
        width=module.out_channels,
        std=float(weight.square().mean().sqrt()),
        slope=activation.negative_slope if isinstance(activation, nn.LeakyReLU) else 0.0,
        bias=module.bias is not None and bool((module.bias != 0).any()),
        gaussian=looks_gaussian(weight),
    )


def window(kernel: Any, stride: Any, padding: Any) -> Window:
    """The window of a layer with this kernel, stride and padding."""
    high, wide = pair(kernel)
    if padding == "same":
        sides = ((wide - 1) // 2, wide // 2, (high - 1) // 2, high // 2)
    else:
        down, across = (0, 0) if padding == "valid" else pair(padding)
        sides = (across, across, down, down)
    return Window(kernel=(high, wide), stride=pair(stride), padding=sides)


def pair(value: Any) -> tuple[int, int]:
    """``value`` for the height and the width."""
    first, second = value if isinstance(value, tuple | list) else (value, value)
    return int(first), int(second)
