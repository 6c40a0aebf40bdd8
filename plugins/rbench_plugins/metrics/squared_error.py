"""P1's reconstruction loss: squared error summed over an image's pixels (equation 1, fig. 11)."""

from __future__ import annotations

from collections.abc import Iterator

from rbench import Metric, MetricContext, MetricValue, NoOptions
from rbench_plugins.images.outcome import ReconstructionOutcome


def measure(
    outcome: ReconstructionOutcome, context: MetricContext, options: NoOptions
) -> Iterator[MetricValue]:
    """``squared_error_validation`` and ``squared_error_train``, means over images.

    Of the output itself, before any mapping. Nothing where the network was not trained: the
    scale of a random network's output means nothing.
    """
    from rbench_plugins.images.scores import ScoreInfo, value

    for split, errors in outcome.losses.items():
        yield value(ScoreInfo("squared_error", "", False), f"_{split}", errors[None])


COMPONENT = Metric(
    name="squared_error",
    summary="P1's reconstruction loss on validation and training images.",
    measure=measure,
    reads=ReconstructionOutcome,
)
