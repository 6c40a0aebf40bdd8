"""Which images of a dataset are looked at where not all are."""

from __future__ import annotations

import torch
from torch import Tensor


def evenly(total: int, wanted: int | None) -> Tensor | None:
    """Indices (``wanted``,) spaced evenly over ``total`` images; None for all of them.

    Where a dataset is sorted by class, every class has its share.
    """
    if wanted is None or wanted >= total:
        return None
    return torch.arange(wanted) * total // wanted
