"""Reference networks for stylization: fixed, optimized by no method, the same for every run."""

from __future__ import annotations

import math
import statistics as stats
from collections.abc import Iterator, Sequence

import torch
from pydantic import JsonValue
from torch import Tensor, nn
from torch.nn import functional as F

from rbench import MetricValue, generator
from rbench_plugins.stylization.loss_network import Calibration, LossNetwork, standardizing
from rbench_plugins.stylization.losses import bounded_distance, content_loss, statistics
from rbench_plugins.stylization.outcome import StylizationOutcome

STEM = 48
WIDTHS, CONVS, KERNEL = (64, 96, 128, 128), (1, 1, 1, 1), 3
CONTENT_LAYER = 3
"""Index of relu4_1 among relu1_1 ... relu5_1."""


class ReferenceNetwork(nn.Module):
    """A random VGG with one convolution a block; ``number`` is its only seed.

    Images (P, 3, H, W) in [0, 1] -> relu1_1 ... relu5_1, standardized before each ReLU by the
    image that it is calibrated on.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        draw = generator(number, "stylization", "judge")
        std = math.sqrt(2 / 27)
        self.register_buffer("stem", torch.randn(STEM, 3, 3, 3, generator=draw) * std)
        self.blocks = LossNetwork(STEM, WIDTHS, CONVS, KERNEL, "average", number)

    def calibrated(self, images: Tensor) -> tuple[Tensor, Tensor, Calibration]:
        """Shift, scale of the stem and the rest's calibration on ``images``."""
        x = self._stem(images)
        mean, scale = standardizing(x)
        return mean, scale, self.blocks.calibrate(((x - mean) * scale).relu())

    def forward(
        self, images: Tensor, calibration: tuple[Tensor, Tensor, Calibration]
    ) -> list[Tensor]:
        """Five maps."""
        mean, scale, rest = calibration
        x = ((self._stem(images) - mean) * scale).relu()
        return [x, *self.blocks(x, rest)]

    def _stem(self, images: Tensor) -> Tensor:
        weight = self.get_buffer("stem")
        return F.conv2d(F.pad(images, (1,) * 4, mode="replicate"), weight)


@torch.no_grad()
def style_distances(
    images: Tensor, styles: Tensor, reference: ReferenceNetwork, kind: str
) -> Tensor:
    """(P,): mean over five layers of the bounded distance of ``images`` to ``styles``."""
    calibration = reference.calibrated(styles)
    found, wanted = reference(images, calibration), reference(styles, calibration)
    layers = [
        bounded_distance(statistics(a, kind, True), statistics(b, kind, True))
        for a, b in zip(found, wanted, strict=True)
    ]
    return torch.stack(layers).mean(0)


@torch.no_grad()
def content_distances(images: Tensor, contents: Tensor, reference: ReferenceNetwork) -> Tensor:
    """(P,): relative squared distance at relu4_1, calibrated on the contents."""
    calibration = reference.calibrated(contents)
    found, wanted = reference(images, calibration), reference(contents, calibration)
    return content_loss(found[CONTENT_LAYER], wanted[CONTENT_LAYER])


def by_pair(
    outcome: StylizationOutcome, device: torch.device
) -> Iterator[tuple[int, Tensor, Tensor, Tensor]]:
    """(pair, pictures of all networks (K, 3, H, W), their contents, their styles) on ``device``."""
    networks = len(outcome.outputs)
    for p, (c, s) in enumerate(outcome.pairs):
        content = outcome.contents[c].to(device).expand(networks, -1, -1, -1)
        style = outcome.styles[s].to(device).expand(networks, -1, -1, -1)
        yield p, outcome.outputs[:, p].to(device), content, style


def over_pairs(
    name: str,
    values: Sequence[float],
    details: dict[str, JsonValue],
    higher_is_better: bool | None = None,
) -> MetricValue:
    """The mean over pairs of images, with its standard error where there are several."""
    several = len(values) > 1
    return MetricValue(
        name=name,
        value=sum(values) / len(values),
        higher_is_better=higher_is_better,
        n=len(values),
        uncertainty=stats.stdev(values) / math.sqrt(len(values)) if several else None,
        uncertainty_kind="standard error over pairs" if several else None,
        details=details,
    )
