"""What a reconstruction has to beat: images made from the inputs without any network."""

from __future__ import annotations

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from rbench import generator

SIGMA = 3.0


def controls(inputs: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """For inputs (M, C, H, W): a blur, the mean image, a permutation of pixels, likewise shaped.

    ``blur`` is Gaussian, sigma 3 pixels; ``mean_image`` the mean of the other inputs, or of the
    pixels of the only one; ``permutation`` one random order of the pixels for all.
    """
    count, _, height, width = inputs.shape
    flat = inputs.mean((-2, -1), keepdim=True).expand_as(inputs)
    others = flat if count == 1 else (inputs.sum(0, keepdim=True) - inputs) / (count - 1)
    order = torch.randperm(height * width, generator=generator(seed, "pixel permutation"))
    return {
        "blur": blurred(inputs, SIGMA),
        "mean_image": others,
        "permutation": inputs.flatten(-2)[..., order].unflatten(-1, (height, width)),
    }


def blurred(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of images (M, C, H, W), the border repeated outwards."""
    # SSIM's window means (float32, inside the image only) differ from scipy's in the last bit.
    planes = images.detach().cpu().numpy()
    result = gaussian_filter(planes, (0, 0, sigma, sigma), mode="nearest")
    return torch.from_numpy(result).to(images)
