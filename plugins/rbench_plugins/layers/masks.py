"""Masks over frozen random weights, learned by straight-through gradients.

Parametrizations (``torch.nn.utils.parametrize``) of a layer's weight W, which stays as drawn:
the layer computes with W * m, and what learns is one score per weight, of which the binary mask
m is made. Edge-popup: Ramanujan et al., "What's Hidden in a Randomly Weighted Neural Network?"
(CVPR 2020, arXiv 1911.13299). Bernoulli masks: Zhou et al., "Deconstructing Lottery Tickets"
(NeurIPS 2019, arXiv 1905.01067).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn


def largest(values: Tensor, count: int) -> Tensor:
    """Boolean mask of exactly ``count`` entries of ``values``, the largest; of ties the first."""
    flat = values.flatten()
    if count >= flat.numel():
        return torch.ones_like(values, dtype=torch.bool)
    threshold = flat.kthvalue(flat.numel() - count + 1).values
    mask = flat >= threshold
    surplus = int(mask.count_nonzero()) - count
    if surplus:
        mask[(flat == threshold).nonzero().flatten()[-surplus:]] = False
    return mask.view(values.shape)


def kept_of(numbers: int, keep: float) -> int:
    """How many of a layer's weights a mask keeps: numbers - floor((1 - keep) numbers)."""
    # 1e-9: 0.9 of 1000 weights are 900, although 1 - 0.9 is a little less than 0.1.
    return numbers - int((1 - keep) * numbers + 1e-9)


class _StraightThrough(torch.autograd.Function):
    """W * mask(scores), with the gradient dW_eff * W (* sign(s)) for the scores."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, scores: Tensor, count: int, magnitude: bool) -> Tensor:
        mask = largest(scores.abs() if magnitude else scores, count)
        ctx.save_for_backward(weight, scores, mask)
        ctx.magnitude = magnitude
        return weight * mask

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, Tensor, None, None]:
        (gradient,) = gradients
        weight, scores, mask = ctx.saved_tensors
        to_scores = gradient * weight
        if ctx.magnitude:
            to_scores = to_scores * scores.sign()
        to_weight = gradient * mask if ctx.needs_input_grad[0] else None
        return to_weight, to_scores, None, None


class EdgePopup(nn.Module):
    """Keep the weights whose scores are largest, the same share ``keep`` in every layer.

    ``scores`` has W's shape and starts as U(+-1/sqrt(fan_in)). With ``magnitude`` scores are
    ranked by |s|, as the authors' code does, and the gradient has the factor sign(s).
    """

    def __init__(
        self, weight: Tensor, keep: float, generator: Generator, *, magnitude: bool = True
    ) -> None:
        super().__init__()
        self.keep, self.magnitude = keep, magnitude
        self.kept = kept_of(weight.numel(), keep)
        bound = 1 / math.sqrt(fan_in(weight))
        scores = torch.empty(weight.shape).uniform_(-bound, bound, generator=generator)
        self.scores = nn.Parameter(scores)

    def forward(self, original: Tensor) -> Tensor:
        """W -> W * m, of which exactly ``kept`` entries are not masked."""
        masked: Tensor = _StraightThrough.apply(original, self.scores, self.kept, self.magnitude)
        return masked

    def mask(self) -> Tensor:
        """The mask in use, boolean."""
        scores = self.scores.detach()
        return largest(scores.abs() if self.magnitude else scores, self.kept)

    def extra_repr(self) -> str:
        """What print shows."""
        return f"keep={self.keep}, magnitude={self.magnitude}"


class BernoulliMask(nn.Module):
    """Keep a weight with probability sigmoid(a), drawn anew at each step of the training.

    The draw is passed straight through: da = dW_eff * W * sigmoid'(a). ``logits`` a start at
    ``bias``. In eval mode the mask is ``expected`` (the probabilities themselves) or ``rounded``
    (probabilities of at least 1/2 are 1). ``rescale`` multiplies W by the number of weights over
    the number that the mask keeps.
    """

    def __init__(
        self, weight: Tensor, bias: float, *, evaluate: str = "rounded", rescale: bool = False
    ) -> None:
        super().__init__()
        self.evaluate, self.rescale = evaluate, rescale
        self.logits = nn.Parameter(torch.full(weight.shape, float(bias)))

    def forward(self, original: Tensor) -> Tensor:
        """W -> W * m."""
        probability = self.logits.sigmoid()
        if self.training:
            drawn = torch.bernoulli(probability.detach())
        elif self.evaluate == "rounded":
            drawn = self.mask().to(original.dtype)
        else:
            return self._scaled(original * probability, probability)
        # The value is drawn's to the last digit: (p - p) is zero.
        mask = drawn + (probability - probability.detach())
        return self._scaled(original * mask, drawn)

    def mask(self) -> Tensor:
        """The rounded mask, boolean."""
        return self.logits.detach() >= 0

    def _scaled(self, weight: Tensor, mask: Tensor) -> Tensor:
        if not self.rescale:
            return weight
        return weight * (mask.numel() / mask.detach().sum().clamp_min(1))

    def extra_repr(self) -> str:
        """What print shows."""
        return f"evaluate={self.evaluate}, rescale={self.rescale}"


def fan_in(weight: Tensor) -> int:
    """c_in/groups k^2 of a convolution's weight, the inputs of a linear layer's."""
    return weight[0].numel()


def draw(weight: Tensor, distribution: str, fan: float, generator: Generator) -> None:
    """Fill ``weight`` in place, ``fan`` inputs counted.

    ``kaiming_normal`` N(0, 2/fan), ``kaiming_uniform`` U(+-sqrt(6/fan)), ``signed_constant``
    +-sqrt(2/fan), ``default`` U(+-1/sqrt(fan)), ``xavier_normal`` N(0, 2/(fan + fan_out)).
    """
    with torch.no_grad():
        if distribution == "kaiming_normal":
            weight.normal_(0, math.sqrt(2 / fan), generator=generator)
        elif distribution == "xavier_normal":
            fan_out = weight.numel() / weight.shape[1]
            weight.normal_(0, math.sqrt(2 / (fan + fan_out)), generator=generator)
        elif distribution == "signed_constant":
            weight.uniform_(-1, 1, generator=generator).sign_().mul_(math.sqrt(2 / fan))
        else:
            bound = math.sqrt((6 if distribution == "kaiming_uniform" else 1) / fan)
            weight.uniform_(-bound, bound, generator=generator)
