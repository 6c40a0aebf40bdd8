"""Builds the network that ``architectures/random_cnn.py`` describes."""

from __future__ import annotations

from torch import nn
from torch.nn.utils import skip_init

from rbench import BuildContext, UserError
from rbench_plugins.architectures.random_cnn import RandomCNNOptions
from rbench_plugins.layers.random_cnn import ChannelMean, RandomCNN, Scale, ZeroInsertion


def build(context: BuildContext, options: RandomCNNOptions) -> nn.Module:
    """Draw the network from the run's seed."""
    if options.padding == "same" and options.stride > 1 and options.kernel > options.stride:
        raise UserError(
            f"random_cnn: padding same goes with stride 1, not {options.stride}; give a number"
        )
    padding = options.padding
    if padding == "valid" or (padding == "same" and options.stride > 1):
        padding = 0  # kernel <= stride: the output is the input's size over the stride
    layers: list[nn.Module] = []
    channels = context.in_chans
    for place, width in enumerate(options.filters, start=1):
        layers.append(
            skip_init(  # redraw fills the weights
                nn.Conv2d,
                channels,
                width,
                options.kernel,
                stride=options.stride,
                padding=padding,
                bias=options.bias,
            )
        )
        layers.append(nn.LeakyReLU(options.slope) if options.slope else nn.ReLU())
        if options.scaled and place < len(options.filters):
            layers.append(Scale(width**-0.5))
        if place in options.pools:
            layers.append(_pool(options))
        if place in options.upsamplings:
            layers.append(ZeroInsertion(options.pool_size))
        channels = width
    layers.append(ChannelMean())
    return RandomCNN(layers, options.law, options.std, context.seed, options.draws)


def _pool(options: RandomCNNOptions) -> nn.Module:
    if options.pool == "max":
        return nn.MaxPool2d(options.pool_size)
    if options.pool == "average":
        return nn.AvgPool2d(options.pool_size)
    return nn.LPPool2d(2, options.pool_size)
