"""A random fraction of the weights: whole filters, or single entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rbench import FreezingRule, Options, UserError, spatial_parameters

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


class FractionOptions(Options):
    """Options of ``fraction``."""

    p: float = Field(0.5, ge=0, le=1, description="share that stays as drawn")
    unit: Literal["filter", "weight"] = Field(
        "weight", description="filter: all weights of an output at once; weight: entry by entry"
    )
    per: Literal["layer", "network"] = Field(
        "layer", description="whether every layer has that share, or the network as a whole"
    )
    of: Literal["weights", "spatial"] = Field(
        "weights",
        description="weights: tensors of two dimensions and more; spatial: spatial filters only",
    )


def select(network: nn.Module, generator: Generator, options: FractionOptions) -> dict[str, Tensor]:
    """Masks with round(p n) of n units, drawn without replacement."""
    import torch

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
    import torch

    mask = torch.zeros(n, dtype=torch.bool)
    mask[torch.randperm(n, generator=generator)[: round(p * n)]] = True
    return mask


COMPONENT = FreezingRule(
    name="fraction",
    summary="A random share of all weights stays as drawn, as filters or as single entries.",
    select=select,
    options=FractionOptions,
)
