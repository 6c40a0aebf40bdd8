"""The moments of Definition 1 and the arc-cosine kernels, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """k_m = E|w|^m / 2 of one filter entry w, m = 1, 2, 4 (Definition 1)."""

    k1: float
    k2: float
    k4: float

    @property
    def K1(self) -> float:
        """(k2 - k1^2) / k1^2: the relative variance of a rectified map."""
        return self.k2 / self.k1**2 - 1

    @property
    def K2(self) -> float:
        """(k4 - k2^2) / k2^2: the relative variance of a squared rectified map."""
        return self.k4 / self.k2**2 - 1


def gaussian_moments(std: float = 1.0) -> Moments:
    """Of N(0, std^2): k1 = std/sqrt(2 pi), k2 = std^2/2, k4 = 3 std^4/2.

    K1 = pi - 1 and K2 = 5 whatever the std. Among distributions with independent entries the
    Gaussian is the only isotropic one (Maxwell), which is why there are no moments of uniform,
    Laplace or logistic filters here: Lemma 5 does not hold for them.
    """
    return Moments(k1=std / math.sqrt(2 * math.pi), k2=std**2 / 2, k4=1.5 * std**4)


def h(cosine: Tensor) -> Tensor:
    """h(t) = ((pi - t) cos t + sin t)/pi at t = arccos(``cosine``), Lemma 5.

    E relu(w y1) relu(w y2) = k2 |y1| |y2| h(t) with t the angle of y1 and y2; h(0) = 1.
    """
    cosine = cosine.clamp(-1, 1)
    angle = cosine.arccos()
    return ((math.pi - angle) * cosine + (1 - cosine * cosine).sqrt()) / math.pi


def h_squares(cosine: Tensor) -> Tensor:
    """The same for squares: E relu(w y1)^2 relu(w y2)^2 = k2^2 |y1|^2 |y2|^2 h_squares, Gaussian.

    2/pi times the arc-cosine kernel of order 2, J(t) = 3 sin t cos t + (pi - t)(1 + 2 cos^2 t);
    6 at t = 0 (k4 = 6 k2^2), 1 at a right angle. P1 does not need it; the first-order
    prediction for more than two layers does.
    """
    cosine = cosine.clamp(-1, 1)
    angle, sine = cosine.arccos(), (1 - cosine * cosine).sqrt()
    return 2 / math.pi * (3 * sine * cosine + (math.pi - angle) * (1 + 2 * cosine * cosine))


def excess_kurtosis(weights: Tensor) -> float:
    """E w^4 / (E w^2)^2 - 3 of the numbers in ``weights``: 0 Gaussian, -1.2 uniform, 3 Laplace."""
    w = weights.detach().double().flatten()
    second = (w * w).mean()
    return float((w**4).mean() / second**2 - 3) if second > 0 else math.nan


def looks_gaussian(weights: Tensor) -> bool:
    """Whether the kurtosis of ``weights`` is within 5 standard errors of the Gaussian's.

    The standard error is sqrt(24/n) for n Gaussian numbers; deviations under 0.1 pass anyway,
    since they cannot move k1 or k4 by a per cent.
    """
    excess = excess_kurtosis(weights)
    return abs(excess) <= max(0.1, 5 * math.sqrt(24 / weights.numel()))


__all__ = ["Moments", "excess_kurtosis", "gaussian_moments", "h", "h_squares", "looks_gaussian"]
