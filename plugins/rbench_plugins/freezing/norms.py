"""Norms' scales and shifts, with the running statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbench import FreezingRule, NoOptions, norm_parameters

if TYPE_CHECKING:
    from torch import Generator, nn


def select(network: nn.Module, generator: Generator, options: NoOptions) -> set[str]:
    """The parameters of all normalization layers."""
    return norm_parameters(network)


COMPONENT = FreezingRule(
    name="norms",
    summary="Normalization layers stay as drawn, running statistics included.",
    select=select,
    revision=2,  # 1 was the name pattern "norms"
)
