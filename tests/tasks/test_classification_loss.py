from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import nn

from rbench import ClassificationLoss
from rbench.plugin.data import Batch
from tests.runner.test_training import recipe


@pytest.mark.parametrize("threshold", [None, 0.2])
def test_bce_counts_both_classes_of_a_mixed_image_in_full_above_the_threshold(
    threshold: float | None,
) -> None:
    training = recipe(bce_loss=True, bce_target_thresh=threshold, mixup=0.0)
    loss = ClassificationLoss(cast(Any, SimpleNamespace(training=training, seed=0)))
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    mixed = torch.tensor([[0.7, 0.3, 0.0], [0.1, 0.0, 0.9]])
    found = loss(nn.Identity(), Batch(logits, mixed))
    targets = mixed if threshold is None else (mixed > threshold).float()
    p = torch.sigmoid(logits.double())
    wanted = -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)
