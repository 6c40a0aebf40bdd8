"""The built-in metrics, a file each."""

from __future__ import annotations

from rbench import Metric
from rbench_plugins.metrics import (
    cost,
    fgsm,
    filter_cosine,
    filter_pictures,
    filter_reconstruction,
    filter_variance_entropy,
    loss,
    spatial_variance_heatmap,
    theory,
    top1,
    top5,
)

COMPONENTS: list[Metric] = [
    cost.COMPONENT,
    fgsm.COMPONENT,
    filter_cosine.COMPONENT,
    filter_pictures.COMPONENT,
    filter_reconstruction.COMPONENT,
    filter_variance_entropy.COMPONENT,
    loss.COMPONENT,
    spatial_variance_heatmap.COMPONENT,
    theory.COMPONENT,
    top1.COMPONENT,
    top5.COMPONENT,
]
