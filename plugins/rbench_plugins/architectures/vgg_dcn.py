"""A trained VGG16 and a DCN that learns to invert it: what P1 compares rwVGG with."""

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
    name="vgg_dcn",
    summary="A trained VGG16's CNN, frozen, with a DCN to be trained (P1 section 3.2).",
    build=build,
    options=CnnDcnOptions,
    defaults={
        "cnn": "trained",
        "normalize": "imagenet",
        "dcn_law": "kaiming",
        "dcn_activation": "leaky_relu",
        "dcn": "trained",
    },
)
