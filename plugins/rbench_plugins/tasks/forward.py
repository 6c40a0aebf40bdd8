"""``forward``: run images through the network as it was built, without training."""

from __future__ import annotations

from rbench import ImagesOutcome, Task

COMPONENT = Task(
    name="forward",
    summary="Images through an untrained network, for metrics on its output.",
    question="Theory of random networks",
    run="rbench_plugins.tasks.functions.forward:run",
    produces=ImagesOutcome,
    dataset="photographs",
    metrics=("theory",),
    trains=lambda options: False,
    labels=False,
)
