"""Builds the networks that ``architectures/cnn_dcn.py`` describes."""

from __future__ import annotations

from rbench import BuildContext
from rbench_plugins.layers.cnn_dcn.make import make
from rbench_plugins.layers.cnn_dcn.network import CnnDcn
from rbench_plugins.layers.cnn_dcn.options import CnnDcnOptions


def vgg16(context: BuildContext, options: CnnDcnOptions) -> CnnDcn:
    """Images (B, C, H, W) in [0, 1] -> reconstructions of that size, unbounded."""
    return make(context, options, "vgg16")


def alexnet(context: BuildContext, options: CnnDcnOptions) -> CnnDcn:
    """Images (B, C, H, W) in [0, 1] -> reconstructions of that size, unbounded."""
    return make(context, options, "alexnet")
