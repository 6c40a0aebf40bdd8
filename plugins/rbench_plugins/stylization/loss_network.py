"""The blocks Conv2 to Conv5 of a VGG on top of a representation, where the losses are taken."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rbench import UserError, generator

BLOCKS = (2, 3, 4, 5)
VGG16_INDEX = {2: (5, 7), 3: (10, 12, 14), 4: (17, 19, 21), 5: (24, 26, 28)}
"""Where ``features.N`` of torchvision's and timm's VGG16 has the convolutions of each block."""


@dataclass(frozen=True)
class Calibration:
    """Shift and scale (P, N, 1, 1) of each convolution's output, in their order."""

    shifts: list[Tensor]
    scales: list[Tensor]

    def of(self, index: Tensor) -> Calibration:
        """Those of the pairs of ``index``."""
        return Calibration([s[index] for s in self.shifts], [s[index] for s in self.scales])


def standardizing(x: Tensor) -> tuple[Tensor, Tensor]:
    """Shift and scale (P, N, 1, 1) that give each channel of (P, N, h, w) mean 0 and std 1.

    Channels that vary less than half of the layer's mean are scaled like that half: on a grey
    style those that see color would be scaled up to noise.
    """
    spread, mean = torch.std_mean(x, (-2, -1), correction=0, keepdim=True)
    return mean, 1 / spread.maximum(0.5 * spread.mean(1, keepdim=True) + 1e-12)


class LossNetwork(nn.Module):
    """Pool, then convolution and ReLU as often as ``convs`` says: for each block 2 to 5.

    Features (P, N, h, w) -> what each block's *first* ReLU yields (relu2_1 ... relu5_1), where
    Gatys takes the style. Edges are repeated outwards, since a random network takes a frame of
    zeros for the strongest edge of all; ``zero_padding`` is VGG's own. Nothing in it learns.
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        convs: Sequence[int],
        kernel: int,
        pooling: Literal["average", "max"],
        seed: int,
        *,
        zero_padding: bool = False,
    ) -> None:
        super().__init__()
        self.convs, self.pooling = tuple(convs), pooling
        self.padding_mode = "constant" if zero_padding else "replicate"
        self.padding = kernel // 2
        draw = generator(seed, "stylization", "loss network")
        for block, width, count in zip(BLOCKS, widths, convs, strict=True):
            for index in range(1, count + 1):
                std = math.sqrt(2 / (inputs * kernel * kernel))
                weight = torch.randn(width, inputs, kernel, kernel, generator=draw) * std
                self.register_buffer(f"conv{block}_{index}", weight)
                self.register_buffer(f"bias{block}_{index}", torch.zeros(width))
                inputs = width

    def load_vgg16(self, state: Mapping[str, Tensor]) -> None:
        """Take Conv2 to Conv5 from a VGG16 classifier's ``state``. UserError if they do not fit."""
        for block, count in zip(BLOCKS, self.convs, strict=True):
            for index in range(1, count + 1):
                source = f"features.{VGG16_INDEX[block][index - 1]}"
                for name, part in (("conv", "weight"), ("bias", "bias")):
                    own = self.get_buffer(f"{name}{block}_{index}")
                    value = state.get(f"{source}.{part}")
                    if value is None or value.shape != own.shape:
                        given = "nothing" if value is None else str(tuple(value.shape))
                        raise UserError(
                            f"the VGG16 weights have {given} for {source}.{part}, conv{block}_"
                            f"{index} is {tuple(own.shape)}: pretrained loss layers need a model "
                            "of width 64, widths 128,256,512,512, kernel 3 and convs 2,3,3,3"
                        )
                    own.copy_(value)

    @torch.no_grad()
    def calibrate(self, features: Tensor) -> Calibration:
        """Shifts and scales that :func:`standardizing` finds, as if ``features`` were alone.

        Before the ReLU, layer by layer. Random ReLU layers add up to nearly the same positive map
        in every channel; calibrated, half of each is active and they tell structures apart.
        """
        shifts: list[Tensor] = []
        scales: list[Tensor] = []
        x = features
        for block, count in zip(BLOCKS, self.convs, strict=True):
            x = self._pool(x)
            for index in range(1, count + 1):
                x = self._conv(x, block, index)
                shift, scale = standardizing(x)
                shifts.append(shift)
                scales.append(scale)
                x = ((x - shift) * scale).relu()
        return Calibration(shifts, scales)

    def forward(
        self, features: Tensor, calibration: Calibration | None = None, *, every: bool = False
    ) -> list[Tensor]:
        """Four maps, the coarsest last; with ``every`` what each convolution's ReLU yields."""
        x, taken, layer = features, [], 0
        for block, count in zip(BLOCKS, self.convs, strict=True):
            x = self._pool(x)
            for index in range(1, count + 1):
                if index > 1 and block == BLOCKS[-1] and not every:
                    break  # no loss uses the layers after relu5_1
                x = self._conv(x, block, index)
                if calibration is not None:
                    scale = calibration.scales[layer]
                    x = torch.addcmul(-calibration.shifts[layer] * scale, x, scale)
                x = x.relu()
                layer += 1
                if index == 1 or every:
                    taken.append(x)
        return taken

    def _conv(self, x: Tensor, block: int, index: int) -> Tensor:
        x = F.pad(x, (self.padding,) * 4, mode=self.padding_mode)
        return F.conv2d(
            x, self.get_buffer(f"conv{block}_{index}"), self.get_buffer(f"bias{block}_{index}")
        )

    def _pool(self, x: Tensor) -> Tensor:
        if self.pooling == "average":
            return F.avg_pool2d(x, 2, ceil_mode=True)
        return F.max_pool2d(x, 2, ceil_mode=True)
