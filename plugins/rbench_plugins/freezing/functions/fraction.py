"""Selects what stays as drawn by the rule that ``freezing/fraction.py`` describes."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

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
    units = {
        name: shape[0] if options.unit == "filter" else shape.numel()
        for name, shape in shapes.items()
    }
    if options.per == "network":
        drawn = _draw(sum(units.values()), options.p, generator)
        parts = dict(zip(units, drawn.split(list(units.values())), strict=True))
    else:
        parts = {name: _draw(n, options.p, generator) for name, n in units.items()}
    return {
        name: parts[name].view(shape[0], *[1] * (len(shape) - 1)).expand(shape).contiguous()
        if options.unit == "filter"
        else parts[name].view(shape)
        for name, shape in shapes.items()
        if torch.any(parts[name])
    }


def _draw(n: int, p: float, generator: Generator) -> Tensor:
    mask = torch.zeros(n, dtype=torch.bool)
    mask[torch.randperm(n, generator=generator)[: round(p * n)]] = True
    return mask
