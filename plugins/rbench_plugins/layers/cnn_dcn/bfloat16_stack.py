"""A bias-free stack of convolutions and ReLUs in bfloat16, with little of its rounding noise.

bfloat16 keeps 8 bits. The maps of a random network on positive images are mostly their mean, and
where an output is scaled to an image's contrast, noise in proportion to that mean is left in
what is flat in the image: enough to lower P1's mean SSIM by 0.001. So what is kept of a map ``a``
is ``a / s - 1``, ``s`` near the channel's mean, whose rounding is in proportion to the deviation
from it. ReLU turns into a cut at -1, scales and constants go into weights and biases: the
function computed is the same (up to the rounding of weights, which gives a near-by network).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rbench_plugins.layers.cnn_dcn.inference import onednn_fuses
from rbench_plugins.layers.cnn_dcn.network import CnnDcn
from rbench_plugins.layers.cnn_dcn.plan import Conv, convs

PILOT_IMAGES, PILOT_PIXELS = 4, 24
LEVELS = 255
"""Images come as whole numbers to 255, which bfloat16 holds exactly."""


def fits(network: nn.Module) -> bool:
    """Whether ``network`` is such a stack."""
    return (
        isinstance(network, CnnDcn)
        and not network.encoder.normalize
        and all(isinstance(step, Conv) and step.stride == 1 for step in network.encoder.steps)
        and isinstance(network.encoder.activation, nn.ReLU)
        and isinstance(network.decoder.activation, nn.ReLU)
        and all(parameter.ndim == 4 for parameter in network.parameters())
    )


def framed(network: CnnDcn, levels: Tensor) -> Tensor:
    """``levels`` (B, C, H, W) in bfloat16 with the frame of zeros that the stack works in."""
    frame = max(step.kernel // 2 for step in convs(network.encoder.steps))
    padded = F.pad(levels, (frame,) * 4).bfloat16()
    return padded.contiguous(memory_format=torch.channels_last)


class Bfloat16Stack:
    """``stack(framed(network, levels))`` is ``network(levels / 255)``, float32."""

    def __init__(self, network: CnnDcn, levels: Tensor) -> None:
        """``levels``: images, of which a few pixels give the channels' means."""
        self.last_relu = network.decoder.last_relu
        weights = _weights(network)
        self.frame = max(step.kernel // 2 for step in convs(network.encoder.steps))
        x = _pilot(levels) / LEVELS
        before = x.new_full((x.shape[1],), 1 / LEVELS)
        self.weights: list[Tensor] = []
        self.biases: list[Tensor] = []
        for at, weight in enumerate(weights):
            last = at == len(weights) - 1
            scale = torch.ones(len(weight))
            if not last:
                x = F.conv2d(x, weight, padding=weight.shape[-1] // 2).relu_()
                scale = _about_the_mean(x)
            scaled = weight * before.view(1, -1, 1, 1) / scale.view(-1, 1, 1, 1)
            scaled = scaled.bfloat16().contiguous(memory_format=torch.channels_last)
            # Of the rounded weights: what the kept maps lack is then made up for exactly.
            lacking = scaled.float().sum((1, 2, 3)) if at else torch.zeros(len(weight))
            self.weights.append(scaled)
            self.biases.append(lacking if last else lacking - 1)
            before = scale

    def __call__(self, x: Tensor) -> Tensor:
        """Framed levels (B, C, H + 2 f, W + 2 f) -> outputs (B, c, H, W), float32."""
        f = self.frame
        for weight, bias in zip(self.weights[:-1], self.biases, strict=False):
            x = _cut(x, weight, bias)
            _fill(x, f)
        x = _convolved(x, self.weights[-1])
        inside = x[..., f : x.shape[-2] - f, f : x.shape[-1] - f]
        # In planes at once, as images are kept, and the constant only behind the rounding.
        output = torch.empty(inside.shape, dtype=torch.float32).copy_(inside)
        output += self.biases[-1].view(-1, 1, 1)
        return output.relu_() if self.last_relu else output


def _fill(x: Tensor, frame: int) -> None:
    """Beside the image there is 0, which is -1 in the maps that are kept."""
    if not frame:
        return
    x[..., :frame, :] = -1
    x[..., -frame:, :] = -1
    # The right end of a row and the left end of the next are neighbors in memory.
    batch, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).view(batch, height * width, channels)
    rows = rows[:, width - frame : (height - 1) * width + width - frame]
    rows.unflatten(1, (height - 1, width))[:, :, : 2 * frame] = -1


def _weights(network: CnnDcn) -> list[Tensor]:
    """Of all layers in their order, float32; the mean of channels as a convolution of one pixel."""
    weights: list[Tensor] = []
    for half in (network.encoder, network.decoder):
        for step in convs(half.steps):
            if network.decoder.last == "mean" and step.name == network.decoder.final:
                count = len(weights[-1])
                weights.append(weights[-1].new_full((1, count, 1, 1), 1 / count))
                continue
            weight = half.get_submodule(step.name).weight
            assert isinstance(weight, Tensor)
            weights.append(weight.detach().float())
    return weights


def _cut(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``max(conv(x) + bias, -1)``; ``bias`` is float32."""
    if not onednn_fuses(x.dtype):
        return _convolved(x, weight, bias).clamp_min_(-1)
    ones, padding = [1, 1], [weight.shape[-1] // 2] * 2
    output: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x, weight, bias, padding, ones, ones, 1, "hardtanh", [-1.0, float("inf")], ""
    )
    return output


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``F.conv2d`` of maps in bfloat16, whose sums are in float32 on every processor."""
    padding = weight.shape[-1] // 2
    if onednn_fuses(x.dtype):
        return F.conv2d(x, weight, bias, padding=padding)
    # PyTorch's own convolution in bfloat16 takes several times as long as one in float32.
    return F.conv2d(x.float(), weight.float(), bias, padding=padding).bfloat16()


def _pilot(levels: Tensor) -> Tensor:
    """The centers of the first few images, float32."""
    top = max(0, (levels.shape[-2] - PILOT_PIXELS) // 2)
    left = max(0, (levels.shape[-1] - PILOT_PIXELS) // 2)
    some = levels[:PILOT_IMAGES, :, top : top + PILOT_PIXELS, left : left + PILOT_PIXELS]
    return some.float()


def _about_the_mean(maps: Tensor) -> Tensor:
    """Of each channel; any positive number is right, only less exact."""
    means = maps.mean((0, 2, 3))
    return means.clamp_min(1e-3 * float(means.mean()) + 1e-30)
