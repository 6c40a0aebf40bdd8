"""Norms learn alone: training BatchNorm and only BatchNorm (Frankle et al., arXiv 2003.00152)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbench import FreezingRule, NoOptions, norm_parameters
from rbench_plugins.freezing.tensors import everything

if TYPE_CHECKING:
    from torch import Generator, nn


def select(network: nn.Module, generator: Generator, options: NoOptions) -> set[str]:
    """Everything but norms; the classifier stays as drawn, too (section 3 of that paper)."""
    return everything(network) - norm_parameters(network, buffers=True)


COMPONENT = FreezingRule(
    name="all_but_norms",
    summary="Norms learn and nothing else: the classifier stays as drawn, too.",
    select=select,
)
