"""Selects what stays as drawn by the rule that ``freezing/fraction.py`` describes."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from rbench import UserError, spatial_parameters
from rbench_plugins.freezing.fraction import FractionOptions


def select(network: nn.Module, generator: Generator, options: FractionOptions) -> dict[str, Tensor]:
    """Masks with round(p n) of n units, drawn without replacement."""
    spatial = spatial_parameters(network) if options.of == "spatial" else None
    shapes = {
        name: parameter.shape
        for name, parameter in network.named_parameters()
        if parameter.ndim > 1 and (spatial is None or name in spatial)
    }
    if not shapes:
        raise UserError(f"--freeze fraction: the network has no tensor of the kind {options.of}")
    transposed = _transposed(network)
    units = {
        name: shape.numel()
        if options.unit == "weight"
        else shape[1] * transposed[name]
        if name in transposed
        else shape[0]
        for name, shape in shapes.items()
    }
    if options.per == "network":
        drawn = _draw(sum(units.values()), options.p, generator)
        parts = dict(zip(units, drawn.split(list(units.values())), strict=True))
    else:
        parts = {name: _draw(n, options.p, generator) for name, n in units.items()}
    return {
        name: _whole_filters(parts[name], shape, transposed.get(name))
        if options.unit == "filter"
        else parts[name].view(shape)
        for name, shape in shapes.items()
        if torch.any(parts[name])
    }


def _transposed(network: nn.Module) -> dict[str, int]:
    """The weights of transposed convolutions, (c_in, c_out/groups, k, k), and their groups."""
    found = {
        id(parameter): module.groups
        for module in network.modules()
        if isinstance(module, _ConvTransposeNd)
        for parameter in module.parameters()
        if parameter.shape == module.weight.shape
    }
    return {n: found[id(p)] for n, p in network.named_parameters() if id(p) in found}


def _whole_filters(outputs: Tensor, shape: torch.Size, groups: int | None) -> Tensor:
    """The mask of all weights of the ``outputs``; ``groups`` are those of a transposed one."""
    taps = [1] * (len(shape) - 2)
    if groups is None:
        return outputs.view(-1, 1, *taps).expand(shape).contiguous()
    # Each of a group's c_in/groups inputs leads to the group's outputs and to no others.
    rows = outputs.view(groups, -1).repeat_interleave(shape[0] // groups, dim=0)
    return rows.view(*shape[:2], *taps).expand(shape).contiguous()


def _draw(n: int, p: float, generator: Generator) -> Tensor:
    mask = torch.zeros(n, dtype=torch.bool)
    mask[torch.randperm(n, generator=generator)[: round(p * n)]] = True
    return mask
