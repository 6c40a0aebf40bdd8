"""The CNN-DCN of P1 (section 3.1, figure 1): an encoder and its mirror, random or not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rbench import Layer, UserError
from rbench_plugins.layers.cnn_dcn.inference import (
    activated,
    centred_convolution,
    only_forward,
    spread_convolution,
)
from rbench_plugins.layers.cnn_dcn.plan import Conv, Pool, Step, convs, mirrored, upsampled
from rbench_plugins.layers.zero_insertion import zero_insertion

Upsampling = Literal["zero", "nearest", "unpool"]
Draw = Callable[[Tensor, Layer, int], None]
"""``draw(weight, layer, network)`` fills a layer's weight for the network of that number."""


@dataclass
class Trace:
    """What the DCN may want to know of the CNN's way: sizes and places of the maxima."""

    sizes: list[tuple[int, int]] = field(default_factory=list)
    maxima: list[Tensor] = field(default_factory=list)


class Encoder(nn.Module):
    """Convolutions with an activation each, and max (or average, or l2) pools that round up.

    Images (B, C, H, W) -> features (B, N, h, w) behind the last activation, before any pool.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        steps: Sequence[Step],
        activation: nn.Module,
        *,
        bias: bool = False,
        pooling: Literal["max", "average", "l2"] = "max",
        moments: tuple[Sequence[float], Sequence[float]] | None = None,
    ) -> None:
        super().__init__()
        self.steps, self.activation, self.pooling = list(steps), activation, pooling
        for step in convs(steps):
            layer = nn.Conv2d(
                step.inputs, step.outputs, step.kernel, step.stride, step.padding, bias=bias
            )
            self.add_module(step.name, layer)
        self.normalize = moments is not None
        for name, values in zip(("mean", "std"), moments or ((0.0,), (1.0,)), strict=True):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor, trace: Trace | None = None) -> Tensor:
        """Features of ``images``; ``trace`` is filled where one is given."""
        x = (images - self.mean) / self.std if self.normalize else images
        for step in self.steps:
            if isinstance(step, Conv):
                x = activated(self.get_submodule(step.name), self.activation, x)
                continue
            if trace is not None:
                trace.sizes.append((x.shape[-2], x.shape[-1]))
            if self.pooling == "average":
                x = F.avg_pool2d(x, step.kernel, step.stride, ceil_mode=True)
            elif self.pooling == "l2":
                x = F.lp_pool2d(x, 2, step.kernel, step.stride, ceil_mode=True)
            elif trace is None:
                x = F.max_pool2d(x, step.kernel, step.stride, ceil_mode=True)
            else:
                x, at = F.max_pool2d(
                    x, step.kernel, step.stride, ceil_mode=True, return_indices=True
                )
                trace.maxima.append(at)
        return x


class Decoder(nn.Module):
    """The mirror: each block's convolutions at their resolution, then the upsampling.

    Features (B, N, h, w) -> (B, C, H, W), unbounded and signed, or (B, 1, H, W) where ``last``
    is ``mean``: then the channels' mean replaces the last convolution (P1 section 4.2).
    """

    def __init__(
        self,
        steps: Sequence[Step],
        activation: nn.Module,
        *,
        bias: bool = False,
        upsampling: Upsampling = "zero",
        last: Literal["conv", "mean"] = "conv",
        last_relu: bool = False,
    ) -> None:
        super().__init__()
        self.steps, self.activation, self.upsampling = mirrored(steps), activation, upsampling
        self.last, self.last_relu = last, last_relu
        self.final = convs(self.steps)[-1].name
        for step in convs(self.steps):
            if step.name == self.final and last == "mean":
                continue
            # The mirror of padding p: what a transposed convolution would do.
            padding = step.kernel - 1 - step.padding
            layer = nn.Conv2d(step.inputs, step.outputs, step.kernel, padding=padding, bias=bias)
            self.add_module(step.name, layer)

    def forward(self, features: Tensor, trace: Trace | None = None) -> Tensor:
        """The output, before the crop."""
        x = features
        level = 0
        wait: Step | None = None  # an upsampling by zeros that the next convolution takes over
        for step in self.steps:
            if isinstance(step, Pool):
                level += 1
                if self.upsampling == "zero" and only_forward():
                    wait = step
                else:
                    x = self._up(x, step, trace, level)
            elif step.name == self.final and self.last == "mean":
                x = self._upsampled(x, wait).mean(1, keepdim=True, dtype=self._precise(x))
            else:
                if step.stride > 1:
                    x, wait = self._upsampled(x, wait), step
                x = self._convolved(x, step, wait)
                wait = None
        return x.relu() if self.last_relu else x

    def _convolved(self, x: Tensor, step: Conv, wait: Step | None) -> Tensor:
        """``x`` behind the upsampling ``wait``, the convolution and, but for the last, ReLU."""
        layer = self.get_submodule(step.name)
        assert isinstance(layer, nn.Conv2d)
        last = step.name == self.final
        if wait is not None and self.upsampling == "zero" and only_forward():
            block = wait.kernel if isinstance(wait, Pool) else wait.stride
            y = spread_convolution(layer, x, wait.stride, block)
            if y is not None:
                return y if last else self.activation(y)
        x = self._upsampled(x, wait)
        if not last:
            return activated(layer, self.activation, x)
        if x.dtype == torch.bfloat16 and layer.bias is None and only_forward():
            return centred_convolution(layer, x)
        return layer(x)

    def _up(self, x: Tensor, pool: Pool, trace: Trace | None, level: int) -> Tensor:
        if self.upsampling != "unpool":
            return self._spread(x, pool)
        if trace is None or len(trace.maxima) < level:
            raise UserError("upsampling=unpool needs the image that the features come from")
        at, size = trace.maxima[-level], trace.sizes[-level]
        kernel, stride = (pool.kernel, pool.kernel), (pool.stride, pool.stride)
        return F.max_unpool2d(x, at, kernel, stride, output_size=size)

    def _upsampled(self, x: Tensor, step: Step | None) -> Tensor:
        return x if step is None else self._spread(x, step)

    @staticmethod
    def _precise(x: Tensor) -> torch.dtype:
        return torch.float32 if x.dtype == torch.bfloat16 else x.dtype

    def _spread(self, x: Tensor, step: Step) -> Tensor:
        """Each value to the top left of its block and zeros elsewhere, or nearest."""
        height, width = upsampled(x.shape[-2], step), upsampled(x.shape[-1], step)
        if self.upsampling == "nearest":
            return F.interpolate(x, size=(height, width), mode="nearest")
        return zero_insertion(x, step.stride, (height, width))


class CnnDcn(nn.Module):
    """``network(x) = decode(encode(x))``, cropped to the size of ``x`` (B, C, H, W)."""

    def __init__(self, encoder: Encoder, decoder: Decoder, draw: Draw) -> None:
        super().__init__()
        if decoder.upsampling == "unpool" and any(
            isinstance(step, Pool) and step.kernel > step.stride for step in encoder.steps
        ):
            raise UserError("upsampling=unpool needs pools that do not overlap, unlike AlexNet's")
        if decoder.upsampling == "unpool" and encoder.pooling != "max":
            raise UserError("upsampling=unpool needs pooling=max")
        self.encoder, self.decoder = encoder, decoder
        self.draw = draw
        self.awaits_weights = False
        """Whether the CNN is to hold trained weights, which have not been loaded yet."""
        self.redrawable = True
        """Whether all weights are random, so that there are more networks of this kind."""

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] -> the representation (B, N, h, w)."""
        return self.encoder(images)

    def decode(self, features: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """The representation -> an output (B, C, H, W), cropped to ``size`` (height, width).

        Without ``size``, h and w times the CNN's stride. The values are unbounded and signed.
        """
        return self._crop(self.decoder(features), size or self.size_of(features))

    def size_of(self, features: Tensor) -> tuple[int, int]:
        """The size of an image, a multiple of the stride, that has features of this size."""
        stride = math.prod(step.stride for step in self.encoder.steps)
        return features.shape[-2] * stride, features.shape[-1] * stride

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] -> outputs of their size, unbounded and signed."""
        trace = Trace() if self.decoder.upsampling == "unpool" else None
        features = self.encoder(images, trace)
        return self._crop(self.decoder(features, trace), (images.shape[-2], images.shape[-1]))

    @torch.no_grad()
    def redraw(self, network: int) -> None:
        """Make this the network of that number: 0 is the one that was built."""
        layers = [(n, m) for n, m in self.named_modules() if isinstance(m, nn.Conv2d)]
        for index, (name, module) in enumerate(layers):
            taps = math.prod(module.kernel_size)
            layer = Layer(
                name=name,
                index=index,
                count=len(layers),
                fan_in=module.in_channels * taps,
                fan_out=module.out_channels * taps,
                stride=module.stride[0],
            )
            self.draw(module.weight, layer, network)
            if module.bias is not None:
                module.bias.zero_()

    @staticmethod
    def _crop(output: Tensor, size: tuple[int, int]) -> Tensor:
        return output[..., : size[0], : size[1]]
