"""Measures what ``metrics/filter_cosine.py`` describes."""

from __future__ import annotations

import math
from statistics import stdev

import torch
from torch import Tensor, nn

from rbench import MetricContext, MetricValue, Outcome, spatial_filters
from rbench_plugins.layers.lc.block import LCBlock
from rbench_plugins.layers.lc.gram import LCGram
from rbench_plugins.metrics.filter_cosine import NAME, CosineOptions


def measure(outcome: Outcome, context: MetricContext, options: CosineOptions) -> list[MetricValue]:
    """Root mean square of the cosines times sqrt(d), 1 for i.i.d. filters, over all layers."""
    layers = [
        (name, rows)
        for name, rows in _layers(outcome.network, options)
        if len(rows) > 1 and rows.shape[1] > 1
    ]
    if not layers:
        context.note(f"{NAME}: no layer has two filters of more than one tap")
        return []
    per_layer = {name: statistics(rows) for name, rows in layers}
    ratios = [found["rms_times_sqrt_d"] for found in per_layer.values()]
    largest = max(found["largest"] for found in per_layer.values())
    n = len(per_layer)
    return [
        MetricValue(
            name=f"{NAME}@{options.filters}",
            value=sum(ratios) / n,
            unit="1/sqrt(d)",
            n=n,
            uncertainty=_spread(ratios),
            uncertainty_kind="standard deviation over layers" if n > 1 else None,
            details={name: dict(found) for name, found in per_layer.items()},
        ),
        MetricValue(name=f"{NAME}_largest@{options.filters}", value=largest, n=n),
    ]


def statistics(rows: Tensor) -> dict[str, float]:
    """Of the cosines between distinct rows of (n, d): rms, rms sqrt(d), mean, largest magnitude."""
    n, taps = rows.shape
    unit = torch.nn.functional.normalize(rows.double().cpu(), dim=1)
    cosines = (unit @ unit.T)[~torch.eye(n, dtype=torch.bool)]
    rms = cosines.square().mean().sqrt().item()
    return {
        "rms": rms,
        "rms_times_sqrt_d": rms * math.sqrt(taps),
        "mean": cosines.mean().item(),
        "largest": cosines.abs().max().item(),
        "filters": float(n),
        "taps": float(taps),
    }


def _layers(network: nn.Module, options: CosineOptions) -> list[tuple[str, Tensor]]:
    layers = []
    for found in spatial_filters(network):
        module = network.get_submodule(found.name)
        if options.filters == "drawn" and isinstance(module, LCBlock | LCGram):
            rows = module.drawn_filters(options.at_most)
        else:
            rows = found.weight.detach().flatten(1)[: options.at_most]
        layers.append((found.name, rows))
    return layers


def _spread(values: list[float]) -> float | None:
    return stdev(values) if len(values) > 1 else None
