"""Accuracies as the metrics report them: percent of n images, with binomial standard error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from rbench import MetricValue

if TYPE_CHECKING:
    from torch import Tensor


def correct(logits: Tensor, labels: Tensor, k: int) -> Tensor:
    """(N,) bool: is the label among the ``k`` largest of ``logits`` (N, classes)?

    An image with a logit that is not finite is not correct.
    """
    best = logits.topk(min(k, logits.shape[1]), dim=1).indices
    return (best == labels[:, None]).any(dim=1) & logits.isfinite().all(dim=1)


def accuracy(
    name: str, right: Tensor, details: Mapping[str, JsonValue] | None = None
) -> MetricValue:
    """The share of ``right`` (N,) in percent; N is at least 1."""
    n = len(right)
    share = float(right.double().mean())
    return MetricValue(
        name=name,
        value=100 * share,
        unit="%",
        higher_is_better=True,
        n=n,
        uncertainty=100 * math.sqrt(share * (1 - share) / n),
        uncertainty_kind="binomial standard error over images",
        details=dict(details) if details else None,
    )
