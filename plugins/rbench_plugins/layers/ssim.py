"""SSIM (Wang 2004) of many outputs against the same inputs, and of the inverted outputs with it.

An 11x11 Gaussian window of sigma 1.5, K = .01 and .03, data range 1, windows wholly inside the
image (facts C9): scikit-image's ``structural_similarity(gaussian_weights=True, sigma=1.5,
use_sample_covariance=False)``. torchmetrics computes the same, border cropped, but slides the
2-D window over five maps and once more for the inverted output; here the window is eleven shifted
additions an axis, an input's moments serve all networks, and inversion costs no new moments.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rbench import UserError

WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03
LUMA = (0.299, 0.587, 0.114)


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
        self.inputs, self.centre = _centred(inputs)
        self.mean = _blur(self.inputs)
        self.variance = _blur(self.inputs.square()) - self.mean.square()

    def __call__(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """SSIM of grey ``outputs`` (..., M, 1, H, W), and of ``1 - outputs``: both (..., M)."""
        outputs, centre = _centred(outputs)
        mean = _blur(outputs)
        variance = _blur(outputs.square()) - mean.square()
        covariance = _blur(outputs * self.inputs) - mean * self.mean
        c1, c2 = K1**2, K2**2
        spread = self.variance + variance + c2
        mean = mean + centre
        plain = self._luminance(mean, c1) * (2 * covariance + c2) / spread
        inverted = self._luminance(1 - mean, c1) * (c2 - 2 * covariance) / spread
        return plain.mean((-3, -2, -1)), inverted.mean((-3, -2, -1))

    def _luminance(self, mean: Tensor, c1: float) -> Tensor:
        other = self.mean + self.centre
        return (2 * mean * other + c1) / (mean.square() + other.square() + c1)


def _centred(images: Tensor) -> tuple[Tensor, Tensor]:
    """Images without their mean, and the mean: moments of flat regions then keep their digits."""
    centre = images.mean((-2, -1), keepdim=True)
    return images - centre, centre


def _window() -> list[float]:
    at = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    window = torch.exp(-(at**2) / (2 * SIGMA**2))
    return (window / window.sum()).tolist()


def _blur(images: Tensor) -> Tensor:
    """Gaussian window means (..., H - 10, W - 10), image by image: a map then stays in cache."""
    window = _window()
    height, width = images.shape[-2] - WINDOW + 1, images.shape[-1] - WINDOW + 1
    planes = images.reshape(-1, *images.shape[-2:])
    blurred = planes.new_empty(len(planes), height, width)
    for plane, out in zip(planes, blurred, strict=True):
        across = plane[:, :width] * window[0]
        for shift in range(1, WINDOW):
            across.add_(plane[:, shift : shift + width], alpha=window[shift])
        torch.mul(across[:height], window[0], out=out)
        for shift in range(1, WINDOW):
            out.add_(across[shift : shift + height], alpha=window[shift])
    return blurred.unflatten(0, images.shape[:-2])
