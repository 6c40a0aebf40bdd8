"""Measures what ``metrics/spatial_variance_heatmap.py`` describes."""

from __future__ import annotations

import torch
from torch import Tensor

from rbench import MetricContext, MetricValue, NoOptions, Outcome, spatial_filters
from rbench_plugins.metrics.spatial_variance_heatmap import NAME


def measure(outcome: Outcome, context: MetricContext, options: NoOptions) -> list[MetricValue]:
    """For each kernel size: the center's variance over the mean one (1: uniform).

    ``details`` has the heatmap, k rows of k numbers, and the layers it comes from.
    """
    layers: dict[tuple[int, int], dict[str, Tensor]] = {}
    for found in spatial_filters(outcome.network):
        height, width = found.weight.shape[2:]
        if found.weight.std() > 0:
            layers.setdefault((height, width), {})[found.name] = found.weight.detach()
        else:
            context.note(f"{NAME}: the filters of {found.name} do not vary")
    values = []
    for (height, width), weights in layers.items():
        map_ = heatmap(list(weights.values()))
        size = f"k{height}" if height == width else f"k{height}x{width}"
        values.append(
            MetricValue(
                name=f"{NAME}@{size}",
                value=(map_[height // 2, width // 2] / map_.mean()).item(),
                unit="centre/mean",
                n=sum(weight.shape[0] * weight.shape[1] for weight in weights.values()),
                details={"heatmap": map_.tolist(), "layers": list(weights)},
            )
        )
    return values


def heatmap(weights: list[Tensor]) -> Tensor:
    """(c_out, c_in/groups, k, k) each -> (k, k), float64: variance (ddof 0) over all kernels."""
    kernels = [(w.double().cpu() / w.double().cpu().std()).flatten(0, 1) for w in weights]
    return torch.cat(kernels).var(dim=0, correction=0)
