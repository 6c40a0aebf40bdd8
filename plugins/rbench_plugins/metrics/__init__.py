"""The built-in metrics, a file each."""

from __future__ import annotations

from rbench import Metric
from rbench_plugins.metrics import fgsm, filter_variance_entropy, loss, theory, top1, top5

COMPONENTS: list[Metric] = [
    fgsm.COMPONENT,
    filter_variance_entropy.COMPONENT,
    loss.COMPONENT,
    theory.COMPONENT,
    top1.COMPONENT,
    top5.COMPONENT,
]
