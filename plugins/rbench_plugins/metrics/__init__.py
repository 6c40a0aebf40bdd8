"""The built-in metrics, a file each."""

from __future__ import annotations

from rbench import Metric
from rbench_plugins.metrics import (
    autoattack,
    content_similarity,
    convergence,
    cost,
    fgsm,
    filter_cosine,
    filter_pictures,
    filter_reconstruction,
    filter_variance_entropy,
    loss,
    mse,
    pgd,
    psnr,
    spatial_variance_heatmap,
    squared_error,
    ssim,
    style_distance,
    stylization_cost,
    stylization_diversity,
    theory,
    top1,
    top5,
)

COMPONENTS: list[Metric] = [
    autoattack.COMPONENT,
    content_similarity.COMPONENT,
    convergence.COMPONENT,
    cost.COMPONENT,
    fgsm.COMPONENT,
    filter_cosine.COMPONENT,
    filter_pictures.COMPONENT,
    filter_reconstruction.COMPONENT,
    filter_variance_entropy.COMPONENT,
    loss.COMPONENT,
    mse.COMPONENT,
    pgd.COMPONENT,
    psnr.COMPONENT,
    spatial_variance_heatmap.COMPONENT,
    squared_error.COMPONENT,
    ssim.COMPONENT,
    style_distance.COMPONENT,
    stylization_cost.COMPONENT,
    stylization_diversity.COMPONENT,
    theory.COMPONENT,
    top1.COMPONENT,
    top5.COMPONENT,
]
