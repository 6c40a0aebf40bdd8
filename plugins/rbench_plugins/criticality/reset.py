"""Reset one layer of a network to other values, and put it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from rbench import SpatialModule, UserError


@dataclass(frozen=True)
class ResettableLayer:
    """A convolution, linear layer or LC-block: the tensors that are reset together."""

    name: str
    tensors: tuple[str, ...]
    """Names in the network of parameters and buffers."""
    spatial: bool
    """Whether it holds filters of more than one tap."""


def layers(network: nn.Module, filters_only: bool = False) -> list[ResettableLayer]:
    """Every layer with weights, in the order of the modules, with biases and buffers.

    A layer that answers :class:`rbench.SpatialModule` is one layer; with ``filters_only`` it is
    its spatial parameters alone, and it is left out where it keeps none. Of layers that share all
    of their tensors only the first is one.
    """
    found: list[ResettableLayer] = []
    covered: list[str] = []
    first = {id(tensor): name for name, tensor in _named(network)}
    for name, module in network.named_modules():
        if any(name.startswith(prefix) for prefix in covered):
            continue
        composite = isinstance(module, SpatialModule)
        if not composite and not isinstance(module, _ConvNd | nn.Linear):
            continue
        covered.append(f"{name}.")
        tensors = dict(_named(module))
        if filters_only and isinstance(module, SpatialModule):
            tensors = {key: tensors[key] for key in module.spatial_parameters()}
        names = tuple(first[id(tensor)] for tensor in tensors.values())
        if names and names not in [layer.tensors for layer in found]:
            spatial = composite or (
                isinstance(module, _ConvNd) and any(size > 1 for size in module.kernel_size)
            )
            found.append(ResettableLayer(name, names, spatial))
    return found


@torch.no_grad()
@contextmanager
def reset(network: nn.Module, layer: ResettableLayer, other: nn.Module | None) -> Iterator[None]:
    """Inside the block, ``layer`` has the values of the network ``other`` (None: zeros)."""
    own = _tensors(network)
    new = {} if other is None else _tensors(other)
    for name in layer.tensors:
        if other is not None and (name not in new or new[name].shape != own[name].shape):
            raise UserError(
                f"criticality: the network as built has no {name} of the trained one's shape"
            )
    before = {name: own[name].clone() for name in layer.tensors}
    parameters = {name for name, _ in network.named_parameters()}
    try:
        for name in layer.tensors:
            if other is not None:
                own[name].copy_(new[name])
            elif name in parameters:
                own[name].zero_()
        yield
    finally:
        for name, value in before.items():
            own[name].copy_(value)


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach() for name, tensor in _named(module)}


def _named(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]
