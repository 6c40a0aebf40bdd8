"""P1's rwVGG: a random CNN, and a DCN that learns to invert it (section 3.2, facts A4)."""

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
    name="rwvgg",
    summary="VGG16's CNN, random and frozen, with a DCN to be trained (P1 section 3.2).",
    build=build,
    options=CnnDcnOptions,
    defaults={
        "dcn_law": "kaiming",
        "cnn_activation": "leaky_relu",
        "dcn_activation": "leaky_relu",
        "dcn": "trained",
    },
)
