"""Measures what ``metrics/disabled_features.py`` describes."""

from __future__ import annotations

import torch
from pydantic import JsonValue
from torch import Tensor, nn

from rbench import MetricContext, MetricValue, Outcome
from rbench_plugins.metrics.disabled_features import NAME, DisabledOptions


def measure(
    outcome: Outcome, context: MetricContext, options: DisabledOptions
) -> list[MetricValue]:
    """Percentage of the scales gamma of all norm layers with |gamma| < ``threshold``.

    ``n`` is the number of scales; ``details`` has the percentage by layer.
    """
    layers = scales(outcome.network)
    if not layers:
        context.note(f"{NAME}: the network has no norm layer with a scale")
        return []
    off = {name: (scale.abs() < options.threshold).double() for name, scale in layers.items()}
    share = 100 * float(torch.cat(list(off.values())).mean())
    details: dict[str, JsonValue] = {
        name: round(100 * float(flags.mean()), 4) for name, flags in off.items()
    }
    n = sum(len(flags) for flags in off.values())
    return [MetricValue(name=NAME, value=share, unit="%", n=n, details=details)]


def scales(network: nn.Module) -> dict[str, Tensor]:
    """The scale (channels,) of each batch, group, layer and instance norm, by layer name."""
    kinds = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
    return {
        name: module.weight.detach().flatten()
        for name, module in network.named_modules()
        if isinstance(module, kinds) and getattr(module, "weight", None) is not None
    }
