"""FVT's objective as P1 prints it (appendix A.4, equations 3 and 4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rbench import generator
from rbench_plugins.stylization.loss_network import LossNetwork
from rbench_plugins.stylization.losses import TINY, gram, moments


@dataclass(frozen=True)
class LiteralTarget:
    """Of pairs: the content's maps, the style's statistics, and the weights of both losses."""

    content: list[Tensor]
    style: list[Tensor]
    alpha: Tensor
    beta: Tensor


@dataclass(frozen=True)
class LiteralObjective:
    """alpha L_c + beta L_s, both summed over every convolution of Conv2 to Conv5.

    L_c = sum_i |A_i(V_c) - A_i(V)|^2 and L_s = sum_i |G(A_i(V_s)) - G(A_i(V))|^2, with A_i behind
    the ReLU of convolution i and G the Gram matrix per position, or means and standard deviations
    where ``kind`` is ``moments``. P1 gives no alpha and beta: here alpha = 1 / sum_i |A_i(V_c)|^2
    and beta = ``ratio`` / sum_i |G(A_i(V_s))|^2, one number each for a pair, so that ``ratio``
    means the same for networks of any scale.
    """

    network: LossNetwork
    kind: str
    ratio: float

    @torch.no_grad()
    def target(self, content: Tensor, style: Tensor, calibrated: bool = False) -> LiteralTarget:
        """What pairs of V_c and V_s (P, N, h, w) are held to."""
        assert not calibrated
        maps = self.network(content, every=True)
        statistics = self._statistics(self.network(style, every=True))
        alpha = 1 / (_sum([m.flatten(1).square() for m in maps]) + TINY)
        beta = 1 / (_sum([s.flatten(1).square() for s in statistics]) + TINY)
        return LiteralTarget(maps, statistics, alpha, beta)

    def losses(self, features: Tensor, target: LiteralTarget) -> tuple[Tensor, Tensor]:
        """Content and style loss, each times its weight but for ``ratio``: (P,) each."""
        maps = self.network(features, every=True)
        content = [(a - b).flatten(1).square() for a, b in zip(maps, target.content, strict=True)]
        style = [
            (a - b).flatten(1).square()
            for a, b in zip(self._statistics(maps), target.style, strict=True)
        ]
        return target.alpha * _sum(content), target.beta * _sum(style)

    def total(self, content: Tensor, style: Tensor) -> Tensor:
        """Their weighted sum, scaled so that the weights add to one at any ratio."""
        return (content + self.ratio * style) / (1 + self.ratio)

    def _statistics(self, maps: list[Tensor]) -> list[Tensor]:
        if self.kind == "moments":
            return [torch.stack(moments(m), 1) for m in maps]
        return [gram(m) for m in maps]


def noise_like(features: Tensor) -> Tensor:
    """Rectified normal noise of the mean and deviation of ``features`` (P, N, h, w), the same for
    every pair."""
    stream = generator(0, "stylization", "noise")
    noise = torch.randn(1, *features.shape[1:], generator=stream).to(features)
    spread, mean = torch.std_mean(features.flatten(1), 1, correction=0)
    return (mean.view(-1, 1, 1, 1) + spread.view(-1, 1, 1, 1) * noise).clamp_min(0)


def _sum(parts: list[Tensor]) -> Tensor:
    return torch.stack([part.sum(1) for part in parts]).sum(0)
