"""Content and style losses (P1 equations 3 and 4), one number a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

TINY = 1e-20


def gram(features: Tensor, centered: bool = False) -> Tensor:
    """(P, N, h, w) -> F F^T / (h w), (P, N, N); ``centered`` takes off the channels' means first.

    Centered it is the covariance: Gram matrices of random ReLU features are dominated by the
    channels' means, which say little of a texture.
    """
    x = features.flatten(2)
    if centered:
        x = x - x.mean(-1, keepdim=True)
    return x @ x.mT / x.shape[-1]


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Means and standard deviations over positions, (P, N) each."""
    spread, mean = torch.std_mean(features.flatten(2), -1, correction=0)
    return mean, spread


@dataclass(frozen=True)
class Statistics:
    """What a style is held to in one layer: tensors (P, ...) whose squares of differences add."""

    parts: tuple[Tensor, ...]

    def of(self, index: Tensor) -> Statistics:
        """Those of the pairs of ``index``."""
        return Statistics(tuple(part[index] for part in self.parts))


def statistics(features: Tensor, kind: str, centered: bool) -> Statistics:
    """``kind`` ``gram``: the Gram matrix, or covariance and means; ``moments``: means and stds."""
    if kind == "moments":
        return Statistics(moments(features))
    if not centered:
        return Statistics((gram(features),))
    return Statistics((gram(features, centered=True), features.mean((-2, -1))))


def distance(found: Statistics, wanted: Statistics) -> Tensor:
    """Squared differences over the squares of ``wanted``, summed over its parts: (P,).

    1 a part is the distance of nothing at all, so that layers and networks of any scale weigh
    alike.
    """
    total = torch.zeros(())
    for a, b in zip(found.parts, wanted.parts, strict=True):
        a, b = a.flatten(1), b.flatten(1)
        total = (a - b).square().sum(1) / (b.square().sum(1) + TINY) + total.to(a)
    return total


def bounded_distance(a: Statistics, b: Statistics) -> Tensor:
    """Squared differences over the sum of both squares, averaged over parts: (P,).

    0 for equal ones, 1 for unrelated ones or where one is far larger, at most 2. For judging: a
    content of strong contrast is not a thousand times further from a faint texture than another.
    """
    parts = []
    for x, y in zip(a.parts, b.parts, strict=True):
        x, y = x.flatten(1), y.flatten(1)
        parts.append((x - y).square().sum(1) / (x.square().sum(1) + y.square().sum(1) + TINY))
    return torch.stack(parts).mean(0)


def style_loss(found: Sequence[Statistics], wanted: Sequence[Statistics]) -> Tensor:
    """The mean over layers of their :func:`distance`: (P,)."""
    pairs = zip(found, wanted, strict=True)
    return torch.stack([distance(a, b) for a, b in pairs]).mean(0)


def content_loss(features: Tensor, wanted: Tensor) -> Tensor:
    """Squared differences of (P, N, h, w) over the variance of ``wanted`` around its means: (P,).

    P1's equation 3 up to a factor: 1 is the distance of a map that is flat.
    """
    difference = (features - wanted).flatten(1).square().sum(1)
    centered = (wanted - wanted.mean((-2, -1), keepdim=True)).flatten(1).square().sum(1)
    return difference / (centered + TINY)
