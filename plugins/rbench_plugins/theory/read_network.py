"""Read a network that is a plain sequence of layers as a :class:`Stack`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rbench import UserError
from rbench_plugins.layers.cnn_dcn.network import CnnDcn
from rbench_plugins.layers.random_cnn import ChannelMean, Scale, ZeroInsertion
from rbench_plugins.theory.read_cnn_dcn import read_cnn_dcn
from rbench_plugins.theory.read_layer import ACTIVATIONS, read_conv, window
from rbench_plugins.theory.stack import Conv, Layer, Pool, PoolKind, Stack, Upsample


def read_stack(network: nn.Module, image: Tensor) -> Stack:
    """The layers that ``image`` (1, C, H, W) passes, in the order in which it passes them.

    Read from what runs, not from how modules are nested: convolutions (each followed by a
    ReLU or leaky ReLU), scalings, pools, upsamplings and the mean over the channels at the end;
    a module that returns its input counts as none. CNN-DCNs are read from their plan. UserError
    for anything else.
    """
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
    return Pool(kind, window(size, stride, getattr(module, "padding", 0)))


__all__ = ["read_stack"]
