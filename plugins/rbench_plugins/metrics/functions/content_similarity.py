"""Measures what ``metrics/content_similarity.py`` describes."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from rbench import MetricContext, MetricValue
from rbench_plugins.images.ssim import Ssim, grey
from rbench_plugins.metrics.content_similarity import ContentSimilarityOptions
from rbench_plugins.stylization.evaluation import (
    ReferenceNetwork,
    by_pair,
    content_distances,
    over_pairs,
)
from rbench_plugins.stylization.outcome import StylizationOutcome


def measure(
    outcome: StylizationOutcome, context: MetricContext, options: ContentSimilarityOptions
) -> Iterator[MetricValue]:
    """``content_ssim`` (grey, Wang 2004) and ``content_distance`` at relu4_1 of references."""
    references = [ReferenceNetwork(number).to(context.device) for number in range(options.judges)]
    ssim: list[float] = []
    distance: list[float] = []
    for _, pictures, contents, _ in by_pair(outcome, context.device):
        ssim.append(float(Ssim(grey(contents))(grey(pictures))[0].mean()))
        values = [content_distances(pictures, contents, reference) for reference in references]
        distance.append(float(torch.stack(values).mean()))
    for name, found, better in (
        ("content_ssim", ssim, True),
        ("content_distance", distance, False),
    ):
        yield over_pairs(name, found, {"by_pair": [round(v, 5) for v in found]}, better)
