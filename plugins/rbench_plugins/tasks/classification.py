"""Train a classifier on the train split, judge it on the test split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from rbench import ClassificationOutcome, Options, Task, UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from rbench import Batch, TaskContext


class ClassificationOptions(Options):
    """Options of the task ``classification``."""

    train: bool = Field(True, description="false: judge the network as it was built")


def run(context: TaskContext, options: ClassificationOptions) -> ClassificationOutcome:
    """Train by the recipe (or not), then classify every test image once in float32."""
    from rbench import Diverged, MemoryImages, predict, train
    from rbench_plugins.layers.normalize import Normalized

    data, accelerator = context.data, context.accelerator
    if data.test is None or data.test.labels is None:
        raise UserError(f"the data set {data.name} has no labelled test images")
    classifier = Normalized(context.network, data.mean, data.std).to(context.device)
    test = data.test.to(context.device) if isinstance(data.test, MemoryImages) else data.test
    history: dict[str, list[float]] = {}
    if options.train:
        training = context.training
        assert training is not None
        batches = context.training_batches()
        labels = test.labels
        assert labels is not None

        def score(module: nn.Module, epoch: int) -> float | None:
            if training.keep == "last":
                return None
            logits = predict(module, test, accelerator)
            return float((logits.argmax(1) == labels.cpu()).double().mean() * 100)

        images = len(batches) * training.batch_size * training.epochs
        with context.clock.phase("train", images):
            history = train(classifier, batches, Loss(context), context, score)
    classifier.eval()
    with context.clock.phase("evaluate", len(test)):
        logits = predict(classifier, test, accelerator, progress=context.progress)
    if not logits.isfinite().all():
        raise Diverged("the trained network's outputs are not finite")
    assert test.labels is not None
    return ClassificationOutcome(
        network=context.network,
        classifier=classifier,
        test=test,
        logits=logits,
        labels=test.labels.cpu(),
        history=history,
    )


class Loss:
    """Cross entropy as the recipe wants it: label smoothing, mixup and CutMix, or BCE."""

    def __init__(self, context: TaskContext) -> None:
        import torch
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
            self.criterion: Any = BinaryCrossEntropy(smoothing=smoothing)
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


COMPONENT = Task(
    name="classification",
    summary="Train a classifier by a recipe and judge it on the whole test split.",
    run=run,
    produces=ClassificationOutcome,
    options=ClassificationOptions,
    dataset="digits",
    metrics=("top1", "top5", "fgsm", "filter_variance_entropy"),
    trains=lambda options: options.train,
)
