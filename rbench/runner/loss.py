"""The loss of classification as a recipe wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from rbench.plugin.contexts import TaskContext
    from rbench.plugin.data import Batch


class ClassificationLoss:
    """Cross entropy as the recipe wants it: label smoothing, mixup and CutMix, or BCE.

    A loss for :func:`rbench.train`, by the recipe of ``context.training``.
    """

    def __init__(self, context: TaskContext) -> None:
        from timm.data import Mixup
        from timm.loss import BinaryCrossEntropy, SoftTargetCrossEntropy

        training = context.training
        assert training is not None
        self.seed, self.step = context.seed, 0
        self.mixup: Any = None
        if training.mixup or training.cutmix:
            self.mixup = Mixup(
                mixup_alpha=training.mixup,
                cutmix_alpha=training.cutmix,
                label_smoothing=training.smoothing,
                num_classes=context.data.num_classes,
            )
        if training.bce_loss:
            smoothing = 0.0 if self.mixup else training.smoothing
            self.criterion: Any = BinaryCrossEntropy(
                smoothing=smoothing, target_threshold=training.bce_target_thresh
            )
        elif self.mixup:
            self.criterion = SoftTargetCrossEntropy()
        else:
            self.criterion = torch.nn.CrossEntropyLoss(label_smoothing=training.smoothing)

    def __call__(self, module: nn.Module, batch: Batch) -> Tensor:
        """Mean loss of the batch."""
        images, labels = batch.images, batch.labels
        if self.mixup is not None:
            images, labels = self.mixup(images, labels)
        return self.criterion(module(images), labels)
