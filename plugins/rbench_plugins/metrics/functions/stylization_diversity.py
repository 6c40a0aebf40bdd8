"""Measures what ``metrics/stylization_diversity.py`` describes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from rbench import MetricContext, MetricValue
from rbench_plugins.images.ssim import Ssim, grey
from rbench_plugins.stylization.evaluation import over_pairs
from rbench_plugins.stylization.outcome import StylizationOutcome


def measure(
    outcome: StylizationOutcome, context: MetricContext, options: Any
) -> Iterator[MetricValue]:
    """``diversity_rms`` (of pixels in [0, 1]) and ``diversity_ssim`` (1 - SSIM of grey pictures).

    Means over all pairs of networks and all pairs of images; no value for a single network.
    """
    networks = len(outcome.outputs)
    if networks < 2:
        return
    rms: list[float] = []
    unlike: list[float] = []
    for p in range(len(outcome.pairs)):
        pictures = outcome.outputs[:, p]
        two = list(combinations(range(networks), 2))
        first, second = pictures[[a for a, _ in two]], pictures[[b for _, b in two]]
        rms.append(float((first - second).square().mean((1, 2, 3)).sqrt().mean()))
        unlike.append(1 - float(Ssim(grey(first))(grey(second))[0].mean()))
    for name, values in (("diversity_rms", rms), ("diversity_ssim", unlike)):
        yield over_pairs(name, values, {"networks": networks})
