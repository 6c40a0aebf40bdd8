from __future__ import annotations

import math

import pytest
import torch
from rbench_plugins.initializers import laplace, logistic, normal, uniform
from rbench_plugins.theory.constants import (
    excess_kurtosis,
    gaussian_moments,
    h,
    h_squares,
    looks_gaussian,
)
from scipy import integrate, stats


@pytest.mark.parametrize("std", [0.1, 1.0, 2.5])
def test_moments_are_half_the_absolute_moments(std: float) -> None:
    law = stats.norm(0, std)
    numeric = {
        m: integrate.quad(lambda w, m=m: w**m * law.pdf(w), 0, 20 * std, epsabs=1e-14)[0]
        for m in (1, 2, 4)
    }
    moments = gaussian_moments(std)
    assert moments.k1 == pytest.approx(numeric[1], rel=1e-9)
    assert moments.k2 == pytest.approx(numeric[2], rel=1e-9)
    assert moments.k4 == pytest.approx(numeric[4], rel=1e-9)
    assert pytest.approx(math.pi - 1, rel=1e-12) == moments.K1
    assert pytest.approx(5, rel=1e-12) == moments.K2


@pytest.mark.parametrize("angle", [0.0, 0.3, 1.2, math.pi / 2, 2.5, math.pi])
@pytest.mark.parametrize(("power", "kernel"), [(1, h), (2, h_squares)])
def test_kernels_against_numerical_integration(angle: float, power: int, kernel: object) -> None:
    # w = (r cos t, r sin t), y1 = (1, 0), y2 = (cos a, sin a): both products are positive for
    # t in (a - pi/2, pi/2). E r^(2 power) of a 2-d standard Gaussian is 2 (power 1), 8 (power 2).
    radial = {1: 2.0, 2: 8.0}[power]
    value, _ = integrate.quad(
        lambda t: (math.cos(t) * math.cos(t - angle)) ** power / (2 * math.pi),
        angle - math.pi / 2,
        math.pi / 2,
    )
    expected = radial * value / gaussian_moments().k2 ** power
    got = float(kernel(torch.tensor(math.cos(angle), dtype=torch.float64)))  # type: ignore[operator]
    assert got == pytest.approx(expected, abs=2e-8)


def test_lemma_5_by_monte_carlo() -> None:
    """E relu(w y1)^m relu(w y2)^m in 5 dimensions, within 4 standard errors (p < 1e-4)."""
    g = torch.Generator().manual_seed(0)
    y = torch.randn(2, 5, generator=g, dtype=torch.float64)
    maps = (torch.randn(400_000, 5, generator=g, dtype=torch.float64) @ y.T).relu()
    z, cosine = y.norm(dim=1), torch.cosine_similarity(y[0], y[1], dim=0)
    k2 = gaussian_moments().k2
    for power, kernel in ((1, h), (2, h_squares)):
        product = (maps[:, 0] * maps[:, 1]) ** power
        expected = k2**power * (z[0] * z[1]) ** power * kernel(cosine)
        error = product.std() / math.sqrt(len(product))
        assert abs(product.mean() - expected) < 4 * error
        assert error < 0.02 * expected  # the test can tell 10 % from right


def test_kurtosis_tells_the_laws_apart() -> None:
    def drawn(law: object, options: object, n: int = 20_000) -> torch.Tensor:
        weight = torch.empty(n)
        law.COMPONENT.draw(weight, torch.Generator().manual_seed(1), options)  # type: ignore[attr-defined]
        return weight

    gauss = drawn(normal, normal.NormalOptions())
    assert looks_gaussian(gauss)
    assert looks_gaussian(gauss[:432])
    for law, options, excess in (
        (uniform, uniform.UniformOptions(), -1.2),
        (logistic, logistic.LogisticOptions(), 1.2),
        (laplace, laplace.LaplaceOptions(), 3.0),
    ):
        weight = drawn(law, options)
        assert excess_kurtosis(weight) == pytest.approx(excess, abs=0.4)
        assert not looks_gaussian(weight)
    assert math.isnan(excess_kurtosis(torch.zeros(10)))
