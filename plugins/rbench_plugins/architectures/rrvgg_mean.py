"""The variant of rrVGG for which P1 proves convergence: a mean ends it (facts A6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbench import Architecture, BuildContext
from rbench_plugins.layers.cnn_dcn.options import CnnDcnOptions

if TYPE_CHECKING:
    from torch import nn


def build(context: BuildContext, options: CnnDcnOptions) -> nn.Module:
    """Images (B, C, H, W) in [0, 1] -> reconstructions of that size, unbounded."""
    from rbench_plugins.layers.cnn_dcn.make import make

    return make(context, options, "vgg16")


COMPONENT = Architecture(
    name="rrvgg_mean",
    summary="rrvgg whose last convolution is the mean of the channels (P1 section 4.2).",
    build=build,
    options=CnnDcnOptions,
    defaults={
        "last": "mean",
    },
)
