"""A convolution that learns at a step size of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rbench_plugins.layers.lc.gradient import map_gradient
from rbench_plugins.layers.lc.gram import expected_gram
from rbench_plugins.layers.lc.shape import ConvShape


class ScaledGradConv2d(nn.Conv2d):
    """A plain convolution whose weight's gradient is multiplied by ``factor``.

    Under SGD that is a learning rate for the loss's gradient ``factor`` times as large, with
    weight decay as it was.
    """

    grad_factor: Tensor

    def __init__(self, shape: ConvShape, factor: float) -> None:
        super().__init__(
            shape.c_in,
            shape.c_out,
            shape.kernel,
            shape.stride,
            shape.padding,
            shape.dilation,
            shape.groups,
            shape.bias,
        )
        self.register_buffer("grad_factor", torch.tensor(factor), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """As a convolution."""
        return self._conv_forward(images, map_gradient(self.weight, self.grad_factor), self.bias)


def as_lc(expansion: int, shape: ConvShape) -> ScaledGradConv2d:
    """A convolution with the step size that frozen LC-blocks of this expansion have in effect."""
    return ScaledGradConv2d(shape, expected_gram(shape, expansion))
