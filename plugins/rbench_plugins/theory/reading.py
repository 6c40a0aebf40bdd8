"""Read a network that is a plain sequence of layers as a :class:`Stack`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rbench import UserError
from rbench_plugins.layers.cnn_dcn import CnnDcn
from rbench_plugins.layers.random_cnn import ChannelMean, Scale, ZeroInsertion
from rbench_plugins.theory.constants import looks_gaussian
from rbench_plugins.theory.stack import Conv, Layer, Pool, PoolKind, Stack, Upsample, Window

ACTIVATIONS = (nn.ReLU, nn.LeakyReLU)


def read_stack(network: nn.Module, image: Tensor) -> Stack:
    """The layers that ``image`` (1, C, H, W) passes, in the order in which it passes them.

    Read from what runs, not from how modules are nested: convolutions (each followed by a
    ReLU or leaky ReLU), scalings, pools, upsamplings and the mean over the channels at the end;
    a module that returns its input counts as none. CNN-DCNs are read from their plan. UserError
    for anything else.
    """
    from rbench_plugins.theory.reading_cnn_dcn import read_cnn_dcn

    if isinstance(network, CnnDcn):
        return read_cnn_dcn(network, image.shape[-2], image.shape[-1])
    calls: list[tuple[str, nn.Module, bool]] = []

    def remember(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            same = output.shape == inputs[0].shape and torch.equal(output, inputs[0])
            calls.append((name, module, same and not isinstance(module, ACTIVATIONS)))

        return hook

    hooks = [
        module.register_forward_hook(remember(name))
        for name, module in network.named_modules()
        if not list(module.children())
    ]
    try:
        with torch.no_grad():
            parameter = next(network.parameters(), image)
            network(image.to(parameter.device, parameter.dtype))
    finally:
        for hook in hooks:
            hook.remove()
    return _stack([(name, module) for name, module, same in calls if not same])


def _stack(calls: list[tuple[str, nn.Module]]) -> Stack:
    if not calls or not isinstance(calls[-1][1], ChannelMean):
        raise UserError(
            "the theory is about networks that end in the mean over the channels "
            "(random_cnn, rrvgg_mean); this one does not"
        )
    layers: list[Layer] = []
    for place, (name, module) in enumerate(calls[:-1]):
        if isinstance(module, nn.Conv2d):
            after = calls[place + 1][1]
            if not isinstance(after, ACTIVATIONS):
                raise UserError(f"the theory needs a ReLU after every convolution, also '{name}'")
            layers.append(read_conv(name, module, after))
        elif isinstance(module, Scale):
            _scale_last(layers, module.factor, name)
        elif isinstance(module, ACTIVATIONS):
            continue
        else:
            layers.append(_without_weights(name, module))
    return Stack(tuple(layers))


def read_conv(name: str, module: nn.Conv2d, activation: nn.Module) -> Conv:
    """A convolution and its activation; UserError where it is none of the theory's."""
    if module.groups != 1 or module.dilation != (1, 1) or module.padding_mode != "zeros":
        raise UserError(
            f"the theory knows plain convolutions with zero padding; '{name}' is {module}"
        )
    weight = module.weight.detach().double()
    return Conv(
        window=_window(module.kernel_size, module.stride, module.padding),
        width=module.out_channels,
        std=float(weight.square().mean().sqrt()),
        slope=activation.negative_slope if isinstance(activation, nn.LeakyReLU) else 0.0,
        bias=module.bias is not None and bool((module.bias != 0).any()),
        gaussian=looks_gaussian(weight),
    )


def _scale_last(layers: list[Layer], factor: float, name: str) -> None:
    last = layers[-1] if layers else None
    if not isinstance(last, Conv):
        raise UserError(f"the theory needs the scaling '{name}' right after its convolution")
    layers[-1] = Conv(**{**vars(last), "scale": last.scale * factor})


def _without_weights(name: str, module: nn.Module) -> Layer:
    if isinstance(module, ZeroInsertion):
        return Upsample(module.factor)
    if isinstance(module, nn.Upsample) and module.mode == "nearest" and module.scale_factor:
        return Upsample(int(module.scale_factor), nearest=True)  # type: ignore[arg-type]
    kind: PoolKind | None = None
    if isinstance(module, nn.LPPool2d) and module.norm_type == 2:
        kind = "l2"
    elif isinstance(module, nn.AvgPool2d):
        kind = "average"
    elif isinstance(module, nn.MaxPool2d):
        kind = "max"
    if kind is None or getattr(module, "ceil_mode", False):
        raise UserError(f"the theory knows no layer like '{name}', {module}")
    size, stride = module.kernel_size, module.stride or module.kernel_size
    return Pool(kind, _window(size, stride, getattr(module, "padding", 0)))


def _window(kernel: Any, stride: Any, padding: Any) -> Window:
    high, wide = _pair(kernel)
    if padding == "same":
        sides = ((wide - 1) // 2, wide // 2, (high - 1) // 2, high // 2)
    else:
        down, across = (0, 0) if padding == "valid" else _pair(padding)
        sides = (across, across, down, down)
    return Window(kernel=(high, wide), stride=_pair(stride), padding=sides)


def _pair(value: Any) -> tuple[int, int]:
    first, second = value if isinstance(value, tuple | list) else (value, value)
    return int(first), int(second)


__all__ = ["read_conv", "read_stack"]
