"""How far a network's predictions are from what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rbench import Batch


@dataclass(frozen=True)
class Predictions:
    """Logits (N, classes) and labels (N,), float64 and on the CPU."""

    logits: Tensor
    labels: Tensor

    @property
    def top1(self) -> float:
        """Accuracy in percent."""
        return 100 * float((self.logits.argmax(1) == self.labels).double().mean())


@torch.no_grad()
def predictions(classifier: nn.Module, batches: Sequence[Batch]) -> Predictions:
    """Of every image, in float32."""
    logits, labels = [], []
    for batch in batches:
        assert batch.labels is not None
        with torch.autocast(batch.images.device.type, enabled=False):
            logits.append(classifier(batch.images).double().cpu())
        labels.append(batch.labels.cpu())
    return Predictions(torch.cat(logits), torch.cat(labels))


def compared(trained: Predictions, changed: Predictions) -> dict[str, float]:
    """Means over images, of p = softmax of the trained network's logits and q of the reset one's.

    ``criticality``: 1 - cos(p, q), 0 where they are equal. ``recovered``: the reset network's
    accuracy over the trained one's. ``l1``, ``l2``: norms of p - q. ``cross_entropy``: of q to p.
    """
    p, q = trained.logits.softmax(1), changed.logits.softmax(1)
    cosine = torch.nn.functional.cosine_similarity(p, q, dim=1)
    # Equal vectors have a cosine of 1 up to rounding only.
    unlike = torch.where((p == q).all(1), 0, 1 - cosine).clamp_min(0)
    top1 = changed.top1
    return {
        "criticality": float(unlike.mean()),
        "recovered": top1 / trained.top1 if trained.top1 else 0.0,
        "top1": top1,
        "l1": float((p - q).abs().sum(1).mean()),
        "l2": float((p - q).norm(dim=1).mean()),
        "cross_entropy": float(-(p * changed.logits.log_softmax(1)).sum(1).mean()),
    }


def averaged(trials: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each number."""
    return {key: sum(trial[key] for trial in trials) / len(trials) for key in trials[0]}
