"""Draws weights as ``initializers/lsuv.py`` describes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import init
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from rbench import Layer, UserError, stored_weight
from rbench_plugins.initializers.lsuv import LSUVOptions

UNMOVED, OFF = 1e-6, 1e-3
"""A relative change of the variance by rounding alone; what is more than rounding from 1."""


def draw(weight: Tensor, generator: Generator, options: LSUVOptions) -> None:
    """Fill ``weight`` of any two dimensions or more with (semi-)orthogonal rows."""
    init.orthogonal_(weight, generator=generator)


def fit(
    network: nn.Module, batches: list[Tensor], options: LSUVOptions, layers: list[Layer]
) -> None:
    """Scale each layer's weight until its outputs over ``batches`` have variance 1.

    Convolutions and linear layers, in the order in which they are first used; earlier layers are
    done before later ones see their outputs. UserError where a weight cannot be scaled: one of
    several that a layer mixes, or one that the layer normalizes itself.
    """
    names = [layer.name for layer in layers if layer.kind in ("conv", "linear")]
    modules = {name: _module(network, name) for name in names}
    for name in _order(network, modules, batches[0]):
        module = modules[name]
        variance = _variance(network, module, batches)
        for _ in range(options.trials):
            if abs(variance - 1) < options.tolerance or variance == 0:
                break
            _divide(module, variance**0.5)
            before, variance = variance, _variance(network, module, batches)
            if abs(variance - before) <= UNMOVED * before and abs(before - 1) > OFF:
                raise UserError(
                    f"lsuv: the outputs of {name} do not depend on the scale of its weight, which "
                    "the layer normalizes itself; choose another initializer"
                )


def _module(network: nn.Module, name: str) -> nn.Module:
    """The convolution or linear layer of that name."""
    module = dict(network.named_modules()).get(name)
    if not isinstance(module, _ConvNd | nn.Linear):
        raise UserError(
            f"lsuv scales convolutions and linear layers, and {name} belongs to another kind of "
            "layer (CondConv mixes several kernels); choose another initializer or model"
        )
    return module


def _divide(module: nn.Module, by: float) -> None:
    """Divide the weight that ``module`` computes with, where the numbers behind it are kept."""
    length = getattr(module, "weight_g", None)  # the older weight_norm: weight = g v / |v|
    original = getattr(module, "weight_orig", None)  # the older spectral_norm, and pruning
    computed: Any = getattr(module, "parametrizations", None)
    if isinstance(length, Tensor):
        length.div_(by)
    elif isinstance(original, Tensor):
        original.div_(by)
    elif parametrize.is_parametrized(module, "weight") and not computed.weight.is_tensor:
        weight: Any = module.weight
        module.weight = weight / by  # torch's weight_norm keeps what follows from it
    else:
        stored_weight(module).div_(by)


class _Seen(Exception):
    """The output that was wanted is there: the rest of the network need not run."""


def _order(network: nn.Module, modules: dict[str, nn.Module], images: Tensor) -> list[str]:
    seen: dict[str, None] = {}
    handles = [
        module.register_forward_hook(lambda *_, name=name: seen.setdefault(name))
        for name, module in modules.items()
    ]
    network(images)
    for handle in handles:
        handle.remove()
    return list(seen)


def _variance(network: nn.Module, module: nn.Module, batches: list[Tensor]) -> float:
    outputs: list[Tensor] = []

    def keep(module: nn.Module, args: Any, output: Tensor) -> None:
        outputs.append(output.double().flatten())
        raise _Seen

    handle = module.register_forward_hook(keep)
    try:
        for images in batches:
            with suppress(_Seen):
                network(images)
    finally:
        handle.remove()
    return float(torch.cat(outputs).var())
