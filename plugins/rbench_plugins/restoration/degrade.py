"""How an image is degraded: noise, missing pixels, fewer pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from rbench import UserError


@dataclass(frozen=True)
class Observation:
    """``y`` = A x0 (1, C, h, w), and what A is: a ``mask`` or a ``factor`` of downsampling."""

    y: Tensor
    shown: Tensor
    """The observation as an image of x0's size, which is what there is without a prior."""
    mask: Tensor | None = None
    factor: int = 1

    def loss(self, output: Tensor) -> Tensor:
        """The mean squared error of A(output) to y, over the observed values."""
        if self.mask is not None:
            error = (output - self.y) * self.mask
            return error.square().sum() / (self.mask.sum() * output.shape[1])
        return F.mse_loss(downsample(output, self.factor), self.y)


def noisy(image: Tensor, sigma: float, draws: Generator) -> Observation:
    """``image`` (1, C, H, W) plus normal noise of ``sigma`` (of 255), clipped to [0, 1]."""
    noise = torch.randn(image.shape, generator=draws).to(image)
    y = (image + sigma / 255 * noise).clamp(0, 1)
    return Observation(y, y)


def masked(image: Tensor, missing: float, draws: Generator) -> Observation:
    """``image`` without a share ``missing`` of its pixels, all channels of a pixel together."""
    mask = (torch.rand(image[:, :1].shape, generator=draws) >= missing).to(image)
    if not mask.any():
        raise UserError(f"missing={missing} leaves no pixel of this image")
    return Observation(image * mask, image * mask, mask=mask)


def small(image: Tensor, factor: int) -> Observation:
    """``image`` with ``factor`` times fewer pixels along each side; shown by bicubic upsampling."""
    if min(image.shape[-2:]) < 4 * factor:
        raise UserError(f"factor={factor} leaves fewer than 4 pixels of this image")
    y = downsample(image, factor)
    shown = F.interpolate(y, size=image.shape[-2:], mode="bicubic", align_corners=False)
    return Observation(y, shown.clamp(0, 1), factor=factor)


def lanczos2(factor: int) -> Tensor:
    """Weights of Lanczos' window of support 2 at the pixels around the middle of a block; sum 1.

    (4 factor,) for an even factor, whose middle is between two pixels, else (4 factor - 1,).
    """
    taps = 4 * factor - factor % 2
    at = (torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2) / factor
    weights = torch.sinc(at) * torch.sinc(at / 2)
    return weights / weights.sum()


def downsample(image: Tensor, factor: int) -> Tensor:
    """(B, C, H, W) -> (B, C, H // factor, W // factor) by Lanczos-2, edges continued."""
    if factor == 1:
        return image
    weights = lanczos2(factor).to(image)
    height, width = (length // factor * factor for length in image.shape[-2:])
    channels = image.shape[1]
    margin = (len(weights) - factor) // 2  # on each side of a block of factor pixels
    padded = F.pad(image[..., :height, :width], (margin,) * 4, mode="replicate")
    rows = weights.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    down = F.conv2d(padded, rows, stride=(factor, 1), groups=channels)
    return F.conv2d(down, rows.transpose(2, 3), stride=(1, factor), groups=channels)


def psnr(output: Tensor, truth: Tensor) -> float:
    """Peak signal-to-noise ratio of images in [0, 1], in dB."""
    error = float((output.detach().clamp(0, 1) - truth).double().square().mean())
    return float("inf") if error == 0 else float(-10 * torch.tensor(error).log10())
