"""SSIM (Wang 2004) of many outputs against the same inputs, and of the inverted outputs with it.

An 11x11 Gaussian window of sigma 1.5, K = .01 and .03, data range 1, windows wholly inside the
image: scikit-image's ``structural_similarity(gaussian_weights=True, sigma=1.5,
use_sample_covariance=False)``. torchmetrics computes the same, border cropped, but slides the
2-D window over five maps and once more for the inverted output; here an input's moments serve
all networks, inversion needs no new moments and is skipped where it is not asked for, the window
is a banded matrix from either side, and one image's maps at a time stay in the cache.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from rbench import UserError

WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03
LUMA = (0.299, 0.587, 0.114)
BLOCK = 31
"""Rows of the banded matrix: a wider one holds more zeros, a narrower one needs more calls."""


def grey(images: Tensor) -> Tensor:
    """Images (..., C, H, W) -> (..., 1, H, W): ITU-R 601-2 luma of RGB, the mean otherwise."""
    if images.shape[-3] == 1:
        return images
    if images.shape[-3] == 3:
        red, green, blue = images.unbind(-3)
        luma = (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])
        return luma.unsqueeze(-3)
    return images.mean(-3, keepdim=True)


class Ssim:
    """SSIM against fixed grey inputs (M, 1, H, W) in [0, 1]. UserError below 11 pixels."""

    def __init__(self, inputs: Tensor) -> None:
        height, width = inputs.shape[-2:]
        if min(height, width) < WINDOW:
            raise UserError(f"SSIM needs images of {WINDOW} pixels or more, not {width}x{height}")
        planes = inputs.detach().reshape(-1, height, width)
        # Images without their mean: moments of flat regions then keep their digits.
        center = planes.mean((-2, -1), keepdim=True)
        self.planes = planes - center
        self.mean = _blurred(self.planes)
        self.variance = _blurred(self.planes.square()) - self.mean.square()
        self.level = self.mean + center
        self.level_squared = self.level.square().add_(K1**2)

    def __call__(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """SSIM of grey ``outputs`` (..., M, 1, H, W), and of ``1 - outputs``: both (..., M)."""
        return self._measure(outputs, every_inverted=True)

    def of_paper(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """As P1 takes it, of the inverted output where it is negative; and without that."""
        plain, inverted = self._measure(outputs, every_inverted=False)
        return torch.where(plain < 0, inverted, plain), plain

    def _measure(self, outputs: Tensor, every_inverted: bool) -> tuple[Tensor, Tensor]:
        planes = outputs.detach().reshape(-1, *outputs.shape[-2:])
        height, width = planes.shape[-2] - WINDOW + 1, planes.shape[-1] - WINDOW + 1
        # Three maps side by side, so that one product from the left serves them all.
        maps = planes.new_empty(planes.shape[-2], 3, planes.shape[-1])
        halfway = planes.new_empty(height, 3, planes.shape[-1])
        # Each in the memory of what is read no more, so that all stays in the cache.
        moments = maps.view(-1)[: 3 * height * width].view(height, 3, width)
        scratch = halfway.view(-1)[: 2 * height * width].view(2, height, width)
        products = _products(maps, halfway, moments)
        own, squared, shared = maps.unbind(1)
        half_c2, c2 = planes.new_tensor(K2**2 / 2), planes.new_tensor(K2**2)
        scores = planes.new_zeros(2, len(planes))
        for at, plane in enumerate(planes):
            index = at % len(self.planes)
            center = plane.mean()
            centered = torch.sub(plane, center, out=own)
            # The constants of the formula go through the window with the products.
            torch.addcmul(c2, centered, centered, out=squared)
            torch.addcmul(half_c2, centered, self.planes[index], out=shared)
            for left, right, into in products:
                torch.mm(left, right, out=into)
            mean, square, product = moments.unbind(1)
            covariance = product.addcmul_(mean, self.mean[index], value=-1)
            spread = square.addcmul_(mean, mean, value=-1).add_(self.variance[index])
            level = mean.add_(center)
            scores[0, at] = self._mean(index, level, covariance, spread, scratch)
            if every_inverted or scores[0, at] < 0:
                level, covariance = level.neg_().add_(1), covariance.neg_().add_(c2)
                scores[1, at] = self._mean(index, level, covariance, spread, scratch)
        plain, inverted = scores.unflatten(1, outputs.shape[:-3])
        return plain, inverted

    def _mean(
        self, index: int, level: Tensor, covariance: Tensor, spread: Tensor, scratch: Tensor
    ) -> Tensor:
        """Mean over the map; ``covariance`` is half the formula's factor of contrast."""
        half_c1 = level.new_tensor(K1**2 / 2)
        above = torch.addcmul(half_c1, level, self.level[index], out=scratch[0]).mul_(covariance)
        below = torch.addcmul(self.level_squared[index], level, level, out=scratch[1]).mul_(spread)
        return above.div_(below).mean() * 4


def _window() -> list[float]:
    at = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    window = torch.exp(-(at**2) / (2 * SIGMA**2))
    return (window / window.sum()).tolist()


@lru_cache(maxsize=8)
def _band(dtype: torch.dtype, device: torch.device) -> Tensor:
    """(BLOCK, BLOCK + 10): row i is the window from column i on."""
    with torch.inference_mode(False):
        band = torch.zeros(BLOCK, BLOCK + WINDOW - 1, dtype=torch.float64)
        for offset, weight in enumerate(_window()):
            band.diagonal(offset).fill_(weight)
        return band.to(device, dtype)


def _blurred(planes: Tensor) -> Tensor:
    """Gaussian window means of planes (K, H, W), (K, H - 10, W - 10)."""
    maps = planes.transpose(0, 1).contiguous()
    halfway = maps.new_empty(len(maps) - WINDOW + 1, *maps.shape[1:])
    out = halfway.new_empty(*halfway.shape[:2], halfway.shape[-1] - WINDOW + 1)
    for left, right, product in _products(maps, halfway, out):
        torch.mm(left, right, out=product)
    return out.transpose(0, 1).contiguous()


def _products(maps: Tensor, halfway: Tensor, out: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The matrix products that blur maps side by side (H, K, W) into (H - 10, K, W - 10).

    Views of the three tensors, to be made once for many images in the same memory.
    """
    band = _band(maps.dtype, maps.device)
    height, width = len(out), out.shape[-1]
    flat, half = maps.flatten(1), halfway.flatten(1)
    steps = []
    for top in range(0, height, BLOCK):
        rows = min(BLOCK, height - top)
        over = rows + WINDOW - 1
        steps.append((band[:rows, :over], flat[top : top + over], half[top : top + rows]))
    half, done = halfway.flatten(0, 1), out.flatten(0, 1)
    for left in range(0, width, BLOCK):
        columns = min(BLOCK, width - left)
        over = columns + WINDOW - 1
        to = done[:, left : left + columns]
        steps.append((half[:, left : left + over], band[:columns, :over].T, to))
    return steps
