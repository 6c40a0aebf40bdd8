"""Read a CNN-DCN that ends in the mean (``rrvgg_mean``, P1's variant) as a :class:`Stack`."""

from __future__ import annotations

from torch import nn

from rbench import UserError
from rbench_plugins.layers.cnn_dcn.network import CnnDcn
from rbench_plugins.layers.cnn_dcn.plan import Conv as Step
from rbench_plugins.theory.read_layer import ACTIVATIONS, read_conv
from rbench_plugins.theory.stack import Conv, Layer, Pool, Stack, Upsample, Window


def read_cnn_dcn(network: CnnDcn, height: int, width: int) -> Stack:
    """The layers of ``network`` for images of this size.

    Its convolutions lack the factor 1/sqrt(N) of Definition 1; no angle depends on it, and f*
    counts it. UserError where the network is none of the theory's: no mean at the end, no
    rectification, normalized images, max-unpool, or a size that its pools do not divide.
    """
    encoder, decoder = network.encoder, network.decoder
    if decoder.last != "mean":
        raise UserError(
            "the theory is about networks that end in the mean over the channels: last=mean"
        )
    if encoder.normalize:
        raise UserError("the theory is about images as they are: normalize=none")
    if decoder.upsampling == "unpool":
        raise UserError("the theory knows zero insertion and nearest upsampling, not unpool")
    layers: list[Layer] = []
    stride = 1
    for step in encoder.steps:
        if isinstance(step, Step):
            layers.append(_conv(encoder, step.name, encoder.activation))
        elif step.kernel != step.stride:
            raise UserError("the theory knows pools that do not overlap, unlike AlexNet's")
        else:
            window = Window((step.kernel, step.kernel), (step.stride, step.stride))
            layers.append(Pool(encoder.pooling, window))
        stride *= step.stride
    for step in decoder.steps:
        if not isinstance(step, Step):
            layers.append(Upsample(step.stride, nearest=decoder.upsampling == "nearest"))
        elif step.name != decoder.final:
            if step.stride > 1:
                layers.append(Upsample(step.stride, nearest=decoder.upsampling == "nearest"))
            layers.append(_conv(decoder, step.name, decoder.activation))
    if height % stride or width % stride:
        raise UserError(
            f"the theory needs images that the pools divide: multiples of {stride} pixels, "
            f"not {height}x{width}"
        )
    return Stack(tuple(layers))


def _conv(half: nn.Module, name: str, activation: nn.Module) -> Conv:
    if not isinstance(activation, ACTIVATIONS):
        raise UserError("the theory needs a ReLU after every convolution")
    module = half.get_submodule(name)
    assert isinstance(module, nn.Conv2d)
    return read_conv(name, module, activation)


__all__ = ["read_cnn_dcn"]
