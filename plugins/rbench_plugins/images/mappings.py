"""From a network's unbounded, signed output to an image in [0, 1] (P1 does not say how).

P1 does not say how it does this, and it decides what its figure 7a shows: so each way has a
name. All but ``affine_fit`` look at one image at a time and at nothing else but, where they say
so, the input's mean and standard deviation.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rbench import UnknownName
from rbench_plugins.images.ssim import grey

Mapping = Callable[[Tensor, Tensor], Tensor]
"""(outputs (..., c, H, W), inputs (..., C, H, W) in [0, 1]) -> images (..., 1 or c or C, H, W)."""
TINY = 1e-12


def minmax(outputs: Tensor, inputs: Tensor) -> Tensor:
    """Each image's smallest value to 0 and largest to 1, over its channels together."""
    low, high = outputs.amin((-3, -2, -1), True), outputs.amax((-3, -2, -1), True)
    return (outputs - low) / (high - low).clamp_min(TINY)


class GreyMatched:
    """Grey, shifted and scaled to the mean and standard deviation of the grey inputs; clamped.

    The moments of ``inputs`` (M, C, H, W) are taken once, for the outputs of any number of
    networks; an image at a time stays in the cache from its channels to its last pass.
    """

    def __init__(self, inputs: Tensor) -> None:
        planes = grey(inputs).flatten(0, -3)
        center = planes.mean((-2, -1), keepdim=True)
        self.norms = torch.linalg.vector_norm(planes - center, dim=(-2, -1)).tolist()
        self.centers = center[:, 0, 0]

    def __call__(self, outputs: Tensor) -> Tensor:
        """Grey images (..., M, 1, H, W) of outputs (..., M, c, H, W)."""
        images = outputs.new_empty(*outputs.shape[:-3], 1, *outputs.shape[-2:])
        pairs = zip(outputs.flatten(0, -4), images.flatten(0, -3), strict=True)
        for at, (output, image) in enumerate(pairs):
            index = at % len(self.norms)
            plane = grey(output)[0]
            centered = torch.sub(plane, plane.mean(), out=image)
            norm = float(torch.linalg.vector_norm(centered))
            if not 1e-15 < norm < 1e15:
                # Outputs of deep random networks reach 1e17, and their squares overflow.
                plane = plane / max(float(plane.abs().max()), TINY)
                centered = torch.sub(plane, plane.mean(), out=image)
                norm = max(float(torch.linalg.vector_norm(centered)), TINY)
            scale = self.norms[index] / norm
            torch.add(self.centers[index], centered, alpha=scale, out=image).clamp_(0, 1)
        return images


def grey_matched(outputs: Tensor, inputs: Tensor) -> Tensor:
    """Grey, shifted and scaled to the mean and standard deviation of the grey input; clamped."""
    return GreyMatched(inputs)(outputs)


def relu_minmax(outputs: Tensor, inputs: Tensor) -> Tensor:
    """A ReLU, then :func:`minmax`."""
    return minmax(outputs.relu(), inputs)


def clamp(outputs: Tensor, inputs: Tensor) -> Tensor:
    """The output itself, cut at 0 and 1: for a DCN that was trained to give images."""
    return outputs.clamp(0, 1)


def sigmoid(outputs: Tensor, inputs: Tensor) -> Tensor:
    """The logistic function of the output, standardized over its channels together."""
    spread, mean = torch.std_mean(outputs, (-3, -2, -1), correction=0, keepdim=True)
    return ((outputs - mean) / spread.clamp_min(TINY)).sigmoid()


def affine_fit(outputs: Tensor, inputs: Tensor) -> Tensor:
    """The least-squares affine color map from output to input, image by image; clamped.

    **Fitted**: it looks at the input, so it measures how much of the image is there up to a
    linear change of colors, and is not a reconstruction.
    """
    channels, size = outputs.shape[-3], outputs.shape[-2:]
    x = outputs.flatten(-2).double()
    y = inputs.flatten(-2).double()
    center, target = x.mean(-1, True), y.mean(-1, True)
    x, y = x - center, y - target
    # Standardized first: outputs of a deep random network reach 1e17.
    x = x / x.square().mean((-2, -1), keepdim=True).sqrt().clamp_min(1e-30)
    gram = x @ x.mT + 1e-9 * x.shape[-1] * torch.eye(channels, dtype=x.dtype, device=x.device)
    fitted = torch.linalg.solve(gram, x @ y.mT).mT @ x + target
    return fitted.unflatten(-1, size).clamp(0, 1).to(inputs.dtype)


MAPPINGS: dict[str, Mapping] = {
    "minmax": minmax,
    "grey_matched": grey_matched,
    "relu_minmax": relu_minmax,
    "clamp": clamp,
    "sigmoid": sigmoid,
    "affine_fit": affine_fit,
}
FITTED = ("affine_fit",)


def mapping(name: str) -> Mapping:
    """The mapping of that name."""
    if name not in MAPPINGS:
        raise UnknownName("mapping", name, MAPPINGS)
    return MAPPINGS[name]
