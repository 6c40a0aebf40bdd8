"""Give contents the style of other images, in a network's feature space (P1 section 4.4, A.4)."""

from __future__ import annotations

from rbench import Task
from rbench_plugins.stylization.options import StylizationOptions
from rbench_plugins.stylization.outcome import StylizationOutcome

COMPONENT = Task(
    name="stylization",
    summary="Contents in the style of other images, by an encoder-decoder (P1 section 4.4).",
    question="Stylization",
    run="rbench_plugins.stylization.run:run",
    produces=StylizationOutcome,
    options=StylizationOptions,
    dataset="content_style",
    metrics=("style_distance", "content_similarity", "stylization_cost", "stylization_diversity"),
    trains=lambda options: False,
    labels=False,
    compared=tuple(StylizationOptions.model_fields),
)
