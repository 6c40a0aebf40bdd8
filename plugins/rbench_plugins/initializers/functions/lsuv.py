"""Draws weights as ``initializers/lsuv.py`` describes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import init

from rbench import Layer
from rbench_plugins.initializers.lsuv import LSUVOptions


def draw(weight: Tensor, generator: Generator, options: LSUVOptions) -> None:
    """Fill ``weight`` of any two dimensions or more with (semi-)orthogonal rows."""
    init.orthogonal_(weight, generator=generator)


def fit(
    network: nn.Module, batches: list[Tensor], options: LSUVOptions, layers: list[Layer]
) -> None:
    """Scale each layer's weight until its outputs over ``batches`` have variance 1.

    Convolutions and linear layers, in the order in which they are first used; earlier layers are
    done before later ones see their outputs.
    """
    names = [layer.name for layer in layers if layer.kind in ("conv", "linear")]
    modules = {name: network.get_submodule(name) for name in names}
    for name in _order(network, modules, batches[0]):
        module: Any = modules[name]
        for _ in range(options.trials):
            variance = _variance(network, module, batches)
            if abs(variance - 1) < options.tolerance or variance == 0:
                break
            module.weight.div_(variance**0.5)


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
