"""A network family member: two convolutions and a classifier."""

from pydantic import Field

import rbench


class Options(rbench.Options):
    """What ``--model-kwargs`` accepts: ``width=64``."""

    width: int = Field(32, ge=1, description="channels of both convolutions")


def build(context, options):
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(context.in_chans, options.width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(options.width, options.width, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(options.width, context.num_classes),
    )


@rbench.hookimpl
def rbench_register_architectures():
    return [
        rbench.Architecture(
            name="docs_tiny", summary="Two convolutions.", build=build, options=Options
        )
    ]
