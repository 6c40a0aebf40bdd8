"""SSIM (Wang 2004) of many outputs against the same inputs, and of the inverted outputs with it.

An 11x11 Gaussian window of sigma 1.5, K = .01 and .03, data range 1, windows wholly inside the
image (facts C9): scikit-image's ``structural_similarity(gaussian_weights=True, sigma=1.5,
use_sample_covariance=False)``. torchmetrics computes the same, border cropped, but slides the
2-D window over five maps and once more for the inverted output; here the window is two products
with a banded matrix, an input's moments serve all networks, and inversion costs no new moments.
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
        weights = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
        return torch.einsum("...chw,c->...hw", images, weights).unsqueeze(-3)
    return images.mean(-3, keepdim=True)


class Ssim:
    """SSIM against fixed grey inputs (M, 1, H, W) in [0, 1]. UserError below 11 pixels."""

    def __init__(self, inputs: Tensor) -> None:
        height, width = inputs.shape[-2:]
        if min(height, width) < WINDOW:
            raise UserError(f"SSIM needs images of {WINDOW} pixels or more, not {width}x{height}")
        self.rows = _band(height, inputs)
        self.columns = _band(width, inputs).T.contiguous()
        self.inputs, self.centre = _centred(inputs)
        self.mean = self._blur(self.inputs)
        self.variance = self._blur(self.inputs.square()) - self.mean.square()

    def __call__(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """SSIM of grey ``outputs`` (..., M, 1, H, W), and of ``1 - outputs``: both (..., M)."""
        outputs, centre = _centred(outputs)
        mean = self._blur(outputs)
        variance = self._blur(outputs.square()) - mean.square()
        covariance = self._blur(outputs * self.inputs) - mean * self.mean
        c1, c2 = K1**2, K2**2
        spread = self.variance + variance + c2
        mean = mean + centre
        plain = self._luminance(mean, c1) * (2 * covariance + c2) / spread
        inverted = self._luminance(1 - mean, c1) * (c2 - 2 * covariance) / spread
        return plain.mean((-3, -2, -1)), inverted.mean((-3, -2, -1))

    def _luminance(self, mean: Tensor, c1: float) -> Tensor:
        other = self.mean + self.centre
        return (2 * mean * other + c1) / (mean.square() + other.square() + c1)

    def _blur(self, images: Tensor) -> Tensor:
        return self.rows @ (images @ self.columns)


def _centred(images: Tensor) -> tuple[Tensor, Tensor]:
    """Images without their mean, and the mean: moments of flat regions then keep their digits."""
    centre = images.mean((-2, -1), keepdim=True)
    return images - centre, centre


def _band(length: int, like: Tensor) -> Tensor:
    """The matrix (length - 10, length) whose rows are the Gaussian window, shifted."""
    at = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    window = torch.exp(-(at**2) / (2 * SIGMA**2))
    window /= window.sum()
    count = length - WINDOW + 1
    band = torch.zeros(count, length, dtype=torch.float64)
    for shift in range(WINDOW):
        band[torch.arange(count), torch.arange(count) + shift] = window[shift]
    return band.to(like)
