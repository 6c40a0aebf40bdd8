"""Convolutions where nothing is learned: the same values, faster or more exact."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def activated(layer: nn.Module, activation: nn.Module, x: Tensor) -> Tensor:
    """``activation(layer(x))``; on a CPU without gradients a ReLU in the same pass.

    There oneDNN applies it to what the convolution writes, which costs nothing, where an
    operation of its own takes longer than a narrow network's convolution.
    """
    fused = (
        isinstance(layer, nn.Conv2d)
        and isinstance(activation, nn.ReLU)
        and x.device.type == "cpu"
        and x.dtype == layer.weight.dtype
        and x.dtype in (torch.float32, torch.bfloat16)
        and only_forward()
        and onednn_fuses(x.dtype)
    )
    if not fused:
        return activation(layer(x))
    assert isinstance(layer, nn.Conv2d)
    return torch.ops.mkldnn._convolution_pointwise(
        x,
        layer.weight,
        layer.bias,
        list(layer.padding),
        list(layer.stride),
        list(layer.dilation),
        layer.groups,
        "relu",
        [],
        "",
    )


def onednn_fuses(dtype: torch.dtype) -> bool:
    """Whether oneDNN has convolutions of this dtype with an activation on this processor."""
    if not hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        return False
    return dtype != torch.bfloat16 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def only_forward() -> bool:
    """Whether no gradient is needed, so that sums may be taken in another order."""
    return not torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")


def spread_convolution(layer: nn.Conv2d, x: Tensor, stride: int, block: int) -> Tensor | None:
    """``layer`` on ``x`` (B, C, h, w) spread among zeros, as a transposed convolution.

    ``x``'s values lie every ``stride`` pixels, the last one at the top left of a block of
    ``block`` pixels; the zeros between them, three of four for VGG, are then never multiplied.
    None where the shapes have no such form.
    """
    kernel, padding = layer.kernel_size[0], layer.padding[0]
    if block > stride or not isinstance(padding, int):
        return None
    weight = layer.weight.flip(-2, -1).transpose(0, 1)
    if x.is_contiguous(memory_format=torch.channels_last):
        weight = weight.contiguous(memory_format=torch.channels_last)
    return F.conv_transpose2d(x, weight, layer.bias, stride, kernel - 1 - padding, block - 1)


def centred_convolution(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """``layer`` on bfloat16 ``x``, as float32 whose rounding is of what varies over the image.

    bfloat16 keeps 8 bits of a value, and a random network's output is mostly its mean: so what
    the mean will be is taken off before the rounding, as a bias, and added again behind it.
    """
    means = x[..., ::8, ::8].float().mean((0, 2, 3))
    expected = layer.weight.float().sum((-2, -1)) @ means
    bias = expected.neg().to(x.dtype)
    return F.conv2d(x, layer.weight, bias, 1, layer.padding).float() - bias.float().view(-1, 1, 1)
