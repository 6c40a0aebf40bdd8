"""P1's rrVGG: CNN and DCN both random, N(0, 0.1), ReLU, no training (section 4, facts A5)."""

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
    name="rrvgg",
    summary="VGG16's CNN-DCN, random throughout, nothing learns (P1 section 4).",
    build=build,
    options=CnnDcnOptions,
)
