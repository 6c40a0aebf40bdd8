"""Train a classifier on the train split and evaluate it on the test split."""

from __future__ import annotations

from pydantic import Field

from rbench import ClassificationOutcome, Options, Task


class ClassificationOptions(Options):
    """Options of the task ``classification``."""

    train: bool = Field(True, description="false: evaluate the network as it was built")


COMPONENT = Task(
    name="classification",
    summary="Train a classifier by a recipe and evaluate it on the whole test split.",
    question="Classification",
    run="rbench_plugins.tasks.functions.classification:run",
    produces=ClassificationOutcome,
    options=ClassificationOptions,
    dataset="digits",
    metrics=("top1", "top5", "fgsm", "filter_variance_entropy"),
    score="top1",
    trains=lambda options: options.train,
)
