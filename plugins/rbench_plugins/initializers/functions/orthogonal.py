"""Draws weights as ``initializers/orthogonal.py`` describes."""

from __future__ import annotations

from torch import Generator, Tensor
from torch.nn import init

from rbench_plugins.initializers.orthogonal import OrthogonalOptions


def draw(weight: Tensor, generator: Generator, options: OrthogonalOptions) -> None:
    """Fill ``weight`` (c_out, c_in/groups, k, k), seen as a c_out x (c_in/groups k^2) matrix.

    Its rows are orthogonal with norm ``gain`` where c_out is the smaller side, else its columns.
    """
    init.orthogonal_(weight, options.gain, generator)
