"""The feed-forward transformations of a feature vector: no step of optimization at all."""

from __future__ import annotations

import torch
from torch import Tensor

RANK = 1e-6
"""Directions with less than this share of the largest variance are taken for absent."""


def match_moments(content: Tensor, style: Tensor) -> Tensor:
    """Each channel of ``content`` with the mean and std of ``style``'s (AdaIN, Huang 2017).

    Both (P, N, h, w); their sizes may differ. A flat channel of the content stays flat.
    """
    spread, mean = torch.std_mean(content, (-2, -1), correction=0, keepdim=True)
    wanted, center = torch.std_mean(style, (-2, -1), correction=0, keepdim=True)
    scale = torch.where(spread > 0, wanted / spread.clamp_min(1e-30), 0.0)
    return (content - mean) * scale + center


def whiten_color(content: Tensor, style: Tensor) -> Tensor:
    """``content`` with the mean and the whole covariance of ``style`` (WCT, Li 2017).

    Both (P, N, h, w); their sizes may differ. C_s^(1/2) C_c^(-1/2) (v - mean_c) + mean_s, over
    the directions in which the content varies; in the others there is nothing to scale.
    """
    x, y = content.flatten(2).double(), style.flatten(2).double()
    mean, center = x.mean(-1, keepdim=True), y.mean(-1, keepdim=True)
    x, y = x - mean, y - center
    whiten = _power(x @ x.mT / x.shape[-1], -0.5)
    color = _power(y @ y.mT / y.shape[-1], 0.5)
    return (color @ (whiten @ x) + center).unflatten(-1, content.shape[-2:]).to(content.dtype)


def principal(features: Tensor, count: int) -> Tensor:
    """(P, N, h, w) -> (P, N, count): its first principal axes, each as long as its std."""
    x = features.flatten(2).double()
    x = x - x.mean(-1, keepdim=True)
    values, vectors = torch.linalg.eigh(x @ x.mT / x.shape[-1])
    scaled = vectors * values.clamp_min(0).sqrt().unsqueeze(-2)
    return scaled.flip(-1)[..., :count].to(features.dtype)


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """A power of symmetric (P, N, N), on the directions that are not absent."""
    values, vectors = torch.linalg.eigh(matrix)
    present = values > RANK * values[..., -1:].clamp_min(1e-300)
    powers = torch.where(present, values.clamp_min(1e-300) ** exponent, 0.0)
    return vectors * powers.unsqueeze(-2) @ vectors.mT
