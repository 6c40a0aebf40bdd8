"""Losses and closed forms against their formulas, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rbench_plugins.stylization.closed_forms import match_moments, principal, whiten_color
from rbench_plugins.stylization.losses import (
    Statistics,
    bounded_distance,
    content_loss,
    distance,
    gram,
    moments,
    statistics,
    style_loss,
)


def features(*shape: int, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    mix = torch.randn(shape[0], shape[1], shape[1], generator=draw, dtype=torch.float64)
    x = torch.randn(shape, generator=draw, dtype=torch.float64)
    return torch.einsum("pnm,pmhw->pnhw", mix, x) + torch.randn(
        shape[0], shape[1], 1, 1, generator=draw, dtype=torch.float64
    )


def flat(x: torch.Tensor, pair: int) -> np.ndarray:
    return x[pair].flatten(1).numpy()


def test_gram_is_the_sum_of_products_over_positions() -> None:
    x = features(2, 3, 4, 5)
    for p in range(2):
        expected = np.zeros((3, 3))
        for i in range(3):
            for j in range(3):
                expected[i, j] = sum(
                    float(x[p, i, a, b] * x[p, j, a, b]) for a in range(4) for b in range(5)
                )
        np.testing.assert_allclose(gram(x)[p].numpy(), expected / 20, rtol=1e-12)
        np.testing.assert_allclose(
            gram(x, centered=True)[p].numpy(), np.cov(flat(x, p), bias=True), rtol=1e-10
        )


def test_moments() -> None:
    x = features(2, 3, 4, 5)
    mean, std = moments(x)
    for p in range(2):
        np.testing.assert_allclose(mean[p].numpy(), flat(x, p).mean(1), rtol=1e-12)
        np.testing.assert_allclose(std[p].numpy(), flat(x, p).std(1), rtol=1e-12)


def test_distance_is_relative_to_the_style() -> None:
    a, b = features(2, 3, 4, 5), features(2, 3, 6, 4, seed=1)
    found, wanted = statistics(a, "gram", False), statistics(b, "gram", False)
    for p in range(2):
        x, y = gram(a)[p].numpy(), gram(b)[p].numpy()
        expected = ((x - y) ** 2).sum() / (y**2).sum()
        assert float(distance(found, wanted)[p]) == pytest.approx(expected, rel=1e-12)
    nothing = Statistics(tuple(torch.zeros_like(part) for part in wanted.parts))
    assert distance(nothing, wanted).tolist() == pytest.approx([1.0, 1.0])
    assert style_loss([found, wanted], [wanted, wanted]).tolist() == pytest.approx(
        (distance(found, wanted) / 2).tolist()
    )


def test_bounded_distance() -> None:
    wanted = statistics(features(2, 3, 6, 4), "gram", False)
    far = Statistics(tuple(1e6 * part for part in wanted.parts))
    double = Statistics(tuple(2 * part for part in wanted.parts))
    assert bounded_distance(wanted, wanted).tolist() == [0.0, 0.0]
    assert bounded_distance(double, wanted).tolist() == pytest.approx([0.2, 0.2])
    assert bounded_distance(far, wanted).tolist() == pytest.approx([1.0, 1.0], rel=1e-4)


def test_centred_gram_ignores_what_the_means_do_to_a_gram_matrix() -> None:
    a = features(1, 3, 8, 8)
    shifted = a + 100
    centered = statistics(a, "gram", True), statistics(shifted, "gram", True)
    torch.testing.assert_close(centered[0].parts[0], centered[1].parts[0], rtol=1e-9, atol=1e-9)
    assert float(distance(centered[1], centered[0])[0]) > 1  # the means are a part of their own


def test_content_loss_is_one_for_a_flat_map() -> None:
    wanted = features(2, 3, 4, 5)
    flat_map = wanted.mean((-2, -1), keepdim=True).expand_as(wanted)
    assert content_loss(flat_map, wanted).tolist() == pytest.approx([1.0, 1.0])
    assert content_loss(wanted, wanted).tolist() == [0.0, 0.0]


def test_matched_moments_are_the_styles() -> None:
    content, style = features(2, 4, 6, 5), features(2, 4, 3, 9, seed=1)
    for got, wanted in zip(moments(match_moments(content, style)), moments(style), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-10)


def test_a_flat_channel_stays_flat() -> None:
    content, style = features(1, 2, 4, 4), features(1, 2, 4, 4, seed=1)
    content[:, 1] = 3
    matched = match_moments(content, style)
    assert float(matched[:, 1].std()) == pytest.approx(0, abs=1e-12)
    assert float(matched[:, 1].mean()) == pytest.approx(float(style[:, 1].mean()))


def test_whitening_and_coloring_gives_the_styles_mean_and_covariance() -> None:
    content, style = features(3, 4, 8, 7), features(3, 4, 6, 9, seed=1)
    new = whiten_color(content, style)
    for p in range(3):
        np.testing.assert_allclose(
            np.cov(flat(new, p), bias=True), np.cov(flat(style, p), bias=True), rtol=1e-8
        )
        np.testing.assert_allclose(flat(new, p).mean(1), flat(style, p).mean(1), rtol=1e-9)
    torch.testing.assert_close(whiten_color(style, style), style, rtol=1e-8, atol=1e-8)


def test_whitening_of_a_degenerate_content_is_finite() -> None:
    content, style = features(1, 4, 8, 7), features(1, 4, 6, 9, seed=1)
    content[:, 3] = content[:, 2]
    new = whiten_color(content, style)
    assert bool(new.isfinite().all())
    assert np.linalg.matrix_rank(np.cov(flat(new, 0)), tol=1e-6) == 3


def test_principal_axes_rebuild_the_covariance() -> None:
    x = features(2, 4, 8, 7)
    axes = principal(x, 4)
    torch.testing.assert_close(axes @ axes.mT, gram(x, centered=True))
    lengths = axes.square().sum(1)
    assert bool((lengths[:, :-1] >= lengths[:, 1:]).all())
    assert principal(x, 2).shape == (2, 4, 2)
