"""The probabilistic bounds of Theorems 2, 6 and 8 and the angle bound of Theorems 3 and 9."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rbench import UserError
from rbench_plugins.theory.constants import gaussian_moments
from rbench_plugins.theory.l2_limit import squared_norms
from rbench_plugins.theory.stack import Conv, Layer, Stack, window_sums

GAUSSIAN = gaussian_moments()


@dataclass(frozen=True)
class MultiLayerBound:
    """Theorem 8 of one image, ready for any delta.

    ``spread`` is (L-1)/Nbar = K1/N_{L-1} + sum K2/N_i, ``lambdas`` lambda_0 ... lambda_{L-2}.
    """

    depth: int
    spread: float
    lambdas: tuple[float, ...]

    def at(self, delta: float) -> float:
        """The bound on sin Theta that holds with probability 1 - delta; over 1 it says nothing."""
        step = math.sqrt(self.spread / _probability(delta))
        return step + math.sqrt((self.depth - 2) * step * math.prod(self.lambdas))


def multi_layer_bound(stack: Stack, image: Tensor) -> MultiLayerBound:
    """Theorem 2/8 for one ``image`` (C, H, W); with one convolution it is Theorem 6.

    The main text prints lambda_i with z*; meant is (z*)^2, as in the appendix
    (test_bounds.py::test_lambda_is_taken_of_the_squares).

    Pools and upsamplings draw nothing: the appendix's proof gives them alpha = 0, so here they
    count neither in L nor in Nbar and are part of the linear map phi_i from one convolution's
    z^2 to the next one's. With Lemma 7's disjoint windows of r pixels,
    lambda_i = |(z*)^2| sqrt(r) k2 / |phi_i((z*)^2)|. The proof uses only that |phi_i x| is at
    most sqrt(r) k2 |x|; where windows overlap, the root of r is replaced by a bound of the same
    kind, the root of (largest row sum x largest column sum) of phi_i, which for disjoint windows
    is sqrt(r) again. So the value still bounds, though the theorem does not speak of it.
    """
    depth, last = stack.depth, stack.convs[-1]
    spread = GAUSSIAN.K1 / last.width + sum(GAUSSIAN.K2 / c.width for c in stack.convs[:-1])
    if depth == 2:
        return MultiLayerBound(depth=2, spread=spread, lambdas=())
    segments = list(stack.segments())
    squares = window_sums(*segments[0], squared_norms(image))
    lambdas: list[float] = []
    for before, conv in segments[1:]:
        following = window_sums(before, conv, squares)
        lambdas.append(_largest_gain(before, conv, squares) * _ratio(squares, following))
        squares = following
    total = squares.sum()
    lambdas.append(math.sqrt(squares.numel()) * float(squares.norm() / total))
    return MultiLayerBound(depth=depth, spread=spread, lambdas=tuple(lambdas))


def angle_bound(stack: Stack, image: Tensor) -> float:
    """Theorem 3/9: a lower bound of cos Phi, Phi the angle of f* and X, for one (C, H, W) image.

    cos Phi >= sum X_t Xbar_t / sum X_t^2, Xbar the window mean that divides by r, zero padding
    included; X_t is the norm over the channels. For a stack of stride-1 convolutions of the
    image's size the mean is weighted by routes and divides by the product of the r (Cauchy and
    Schwarz need only that no pixel has more routes than that). UserError for negative pixels
    and for a stack whose output has another size. A stack with pools and upsamplings gets the
    number, but not covered by a theorem: :mod:`rbench_plugins.theory.assumptions` says so.
    """
    if bool((image < 0).any()):
        raise UserError("Theorem 3 needs positive pixels: this image has negative ones")
    x = squared_norms(image).sqrt()
    if float(x.sum()) == 0:
        raise UserError("Theorem 3 needs positive pixels: this image is black")
    routes, mean = torch.ones_like(x), x
    for before, conv in stack.segments():
        routes, mean = window_sums(before, conv, routes), window_sums(before, conv, mean)
    if mean.shape != x.shape:
        raise UserError(
            f"the angle between image and output needs one size: the image has "
            f"{x.shape[-2]}x{x.shape[-1]} pixels, the output {mean.shape[-2]}x{mean.shape[-1]}"
        )
    if stack.keeps_size:
        mean = mean / math.prod(conv.window.taps for conv in stack.convs)
    else:
        mean = torch.where(routes > 0, mean / routes, 0.0)
    return float((x * mean).sum() / (x * x).sum())


def _largest_gain(before: tuple[Layer, ...], conv: Conv, like: Tensor) -> float:
    ones = torch.ones_like(like, requires_grad=True)
    with torch.enable_grad():
        rows = window_sums(before, conv, ones)
        (columns,) = torch.autograd.grad(rows.sum(), ones)
    return math.sqrt(float(rows.detach().max()) * float(columns.max()))


def _ratio(squares: Tensor, following: Tensor) -> float:
    return float(squares.norm() / following.norm())


def _probability(delta: float) -> float:
    if not 0 < delta < 1:
        raise UserError(f"delta is a probability, more than 0 and less than 1, not {delta}")
    return delta


__all__ = ["MultiLayerBound", "angle_bound", "multi_layer_bound"]
