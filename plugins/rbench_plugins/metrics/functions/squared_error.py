"""Measures what ``metrics/squared_error.py`` describes."""

from __future__ import annotations

from collections.abc import Iterator

from rbench import MetricContext, MetricValue, NoOptions
from rbench_plugins.images.outcome import ReconstructionOutcome
from rbench_plugins.images.scores import ScoreInfo, value


def measure(
    outcome: ReconstructionOutcome, context: MetricContext, options: NoOptions
) -> Iterator[MetricValue]:
    """``squared_error_validation`` and ``squared_error_train``, means over images.

    Of the output itself, before any mapping. Nothing where the network was not trained: the
    scale of a random network's output means nothing.
    """
    for split, errors in outcome.losses.items():
        yield value(ScoreInfo("squared_error", "", False), f"_{split}", errors[None])
