"""Measures what ``metrics/filter_variance_entropy.py`` describes."""

from __future__ import annotations

import fnmatch
import math

import torch
from pydantic import JsonValue
from scipy import stats
from torch import Tensor

from rbench import MetricContext, MetricValue, Outcome, SpatialFilter, spatial_filters
from rbench_plugins.metrics.filter_variance_entropy import NAME, EntropyOptions


def measure(outcome: Outcome, context: MetricContext, options: EntropyOptions) -> list[MetricValue]:
    """The entropy H of the wanted spatial filters; for 3x3 kernels also H over the threshold T."""
    filters = list(spatial_filters(outcome.network))
    if not filters:
        context.note(f"{NAME}: the network has no spatial filter")
    values: list[MetricValue] = []
    for label, chosen in _chosen(filters, options.layers).items():
        values += _of_layer(label, chosen, context)
    for pattern in options.layers:
        if filters and not _matching(filters, pattern):
            context.note(f"{NAME}: no spatial filter is called '{pattern}'")
    return values


def entropy(weight: Tensor) -> float:
    """H of ``weight`` (c_out, c_in/groups, k, k), in [0, log10 k^2]; NaN if all kernels agree.

    The kernels, less their mean, as rows of a matrix with singular values s: p = s^2 / sum s^2,
    H = -sum p log10 p, where 0 log 0 is 0.
    """
    kernels = weight.detach().double().cpu().flatten(0, 1).flatten(1)
    variances = torch.linalg.svdvals(kernels - kernels.mean(dim=0)).square()
    if not variances.sum() > 0:
        return math.nan
    return float(stats.entropy(variances.numpy(), base=10))


def threshold(kernels: int) -> float:
    """T(n): the least H that n random 3x3 kernels show; fitted by the authors, no good below 4."""
    return 1.2618047 / (1 + math.exp(-0.88767525 * (math.log2(kernels) - 2.30436435))) - 0.31050834


def _chosen(filters: list[SpatialFilter], layers: tuple[str, ...]) -> dict[str, SpatialFilter]:
    """What to measure, by the label that the metric's name ends in."""
    chosen: dict[str, SpatialFilter] = {}
    for pattern in layers:
        for found in _matching(filters, pattern):
            chosen[pattern if pattern in ("first", "last") else found.name] = found
    return chosen


def _matching(filters: list[SpatialFilter], pattern: str) -> list[SpatialFilter]:
    if pattern == "first":
        return filters[:1]
    if pattern == "last":
        return filters[-1:]
    return [f for f in filters if pattern == "all" or fnmatch.fnmatchcase(f.name, pattern)]


def _of_layer(label: str, layer: SpatialFilter, context: MetricContext) -> list[MetricValue]:
    weight = layer.weight
    n = weight.shape[0] * weight.shape[1]
    value = entropy(weight) if weight.isfinite().all() else math.nan
    if math.isnan(value):
        context.note(f"{NAME}@{label}: the kernels of {layer.name} do not vary or are not finite")
    details: dict[str, JsonValue] = {"layer": layer.name, "shape": [int(s) for s in weight.shape]}
    values = [
        MetricValue(
            name=f"{NAME}@{label}",
            value=None if math.isnan(value) else value,
            n=n,
            details=details,
        )
    ]
    if tuple(weight.shape[2:]) == (3, 3) and n >= 4 and not math.isnan(value):
        values.append(
            MetricValue(
                name=f"{NAME}_ratio@{label}",
                value=value / threshold(n),
                n=n,
                details={**details, "threshold": threshold(n)},
            )
        )
    return values
