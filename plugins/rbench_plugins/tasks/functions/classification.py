"""Runs the task that ``tasks/classification.py`` describes."""

from __future__ import annotations

from torch import nn

from rbench import (
    ClassificationLoss,
    ClassificationOutcome,
    Diverged,
    FileImages,
    MemoryImages,
    Normalized,
    Progress,
    Split,
    TaskContext,
    UserError,
    predict,
    train,
)
from rbench_plugins.tasks.classification import ClassificationOptions


def run(context: TaskContext, options: ClassificationOptions) -> ClassificationOutcome:
    """Train by the recipe (or not), then classify every test image once in float32."""
    data = context.data
    if data.test is None or data.test.labels is None:
        raise UserError(f"the dataset {data.name} has no labeled test images")
    classifier = Normalized(context.network, data.mean, data.std).to(context.device)
    evaluation = Evaluation(classifier, context)
    history: dict[str, list[float]] = {}
    if options.train:
        training = context.training
        assert training is not None
        batches = context.training_batches()
        images = len(batches) * training.batch_size * training.epochs
        with context.clock.phase("train", images):
            history = train(classifier, batches, ClassificationLoss(context), context, evaluation)
    classifier.eval()
    with context.clock.phase("evaluate", len(data.test)):
        outcome = evaluation("test", context.progress)
    if not outcome.logits.isfinite().all():
        raise Diverged("the trained network's outputs are not finite")
    outcome.history = history
    return outcome


class Evaluation:
    """Classifies each image of a split once."""

    def __init__(self, classifier: nn.Module, context: TaskContext) -> None:
        self.classifier, self.context = classifier, context
        self.splits: dict[Split, MemoryImages | FileImages] = {}

    def __call__(self, split: Split, progress: Progress | None = None) -> ClassificationOutcome:
        """The outcome of the classifier as it is now, on the images of ``split``."""
        images = self._images(split)
        assert images.labels is not None
        accelerator = self.context.accelerator
        return ClassificationOutcome(
            network=self.context.network,
            classifier=self.classifier,
            test=images,
            logits=predict(self.classifier, images, accelerator, progress=progress),
            labels=images.labels.cpu(),
        )

    def _images(self, split: Split) -> MemoryImages | FileImages:
        """The images of ``split``, moved to the device once."""
        if split not in self.splits:
            data = self.context.data
            images = data.test if split == "test" else data.val
            assert images is not None
            if isinstance(images, MemoryImages):
                images = images.to(self.context.device)
            self.splits[split] = images
        return self.splits[split]
