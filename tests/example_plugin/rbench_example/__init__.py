"""A whole rbench plugin: a component of every kind, described; ``functions.py`` does the work."""

from __future__ import annotations

from pydantic import Field

import rbench


class TinyOptions(rbench.Options):
    """What --model-kwargs accepts: width=64."""

    width: int = Field(32, ge=1, description="channels of the two convolutions")


@rbench.hookimpl
def rbench_register_architectures():
    yield rbench.Architecture(
        name="example_tiny",
        summary="Two convolutions.",
        build="rbench_example.functions:build",
        options=TinyOptions,
    )


@rbench.hookimpl
def rbench_register_initializers():
    yield rbench.Initializer(
        name="example_signs",
        summary="Random signs over the root of the fan in.",
        draw="rbench_example.functions:draw_signs",
    )
    yield rbench.Initializer(
        name="example_by_depth",
        summary="Normal, smaller in later layers.",
        draw="rbench_example.functions:draw_by_depth",
    )


@rbench.hookimpl
def rbench_register_metrics():
    yield rbench.Metric(
        name="example_confidence",
        summary="Mean probability of the predicted class.",
        measure="rbench_example.functions:confidence",
        reads=rbench.ClassificationOutcome,
    )


@rbench.hookimpl
def rbench_register_freezing_rules():
    yield rbench.FreezingRule(
        name="example_first_half",
        summary="The first half of the spatial filters.",
        select="rbench_example.functions:select",
    )


@rbench.hookimpl
def rbench_register_datasets():
    yield rbench.Dataset(
        name="example_stripes",
        summary="Noisy stripes along rows or columns, drawn in memory.",
        open="rbench_example.functions:open_stripes",
        recipe="digits",
        needs_data_dir=False,
    )


@rbench.hookimpl
def rbench_register_tasks():
    yield rbench.Task(
        name="example_untrained",
        summary="Classify the test images by the network as it was built.",
        run="rbench_example.functions:run",
        produces=rbench.ClassificationOutcome,
        dataset="example_stripes",
        metrics=("example_confidence",),
        trains=lambda options: False,
    )
