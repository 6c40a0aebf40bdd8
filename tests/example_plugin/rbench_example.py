"""A whole rbench plugin: three components and the hooks that register them."""

from __future__ import annotations

from pydantic import Field

import rbench


class TinyOptions(rbench.Options):
    """What --model-kwargs accepts: width=64."""

    width: int = Field(32, ge=1, description="channels of the two convolutions")


def build(context: rbench.BuildContext, options: TinyOptions):
    """Two convolutions, a mean, a classifier. torch is imported here, when it is needed."""
    from torch import nn

    width = options.width
    return nn.Sequential(
        nn.Conv2d(context.in_chans, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * width, context.num_classes),
    )


def draw_signs(weight, generator, options):
    """Fill ``weight`` with +-1/sqrt(fan in), drawn from ``generator`` and from nothing else."""
    signs = weight.new_empty(weight.shape).bernoulli_(0.5, generator=generator) * 2 - 1
    weight.copy_(signs / weight[0].numel() ** 0.5)


def confidence(outcome: rbench.ClassificationOutcome, context, options):
    """Mean probability that the classifier gives to its own answer, in percent."""
    chances = outcome.logits.softmax(1).amax(1)
    yield rbench.MetricValue(
        name="confidence", value=100 * float(chances.mean()), unit="%", n=len(chances)
    )


@rbench.hookimpl
def rbench_register_architectures():
    yield rbench.Architecture(
        name="example_tiny", summary="Two convolutions.", build=build, options=TinyOptions
    )


@rbench.hookimpl
def rbench_register_initializers():
    yield rbench.Initializer(
        name="example_signs", summary="Random signs over the root of the fan in.", draw=draw_signs
    )


@rbench.hookimpl
def rbench_register_metrics():
    yield rbench.Metric(
        name="example_confidence",
        summary="Mean probability of the predicted class.",
        measure=confidence,
        reads=rbench.ClassificationOutcome,
    )
