"""Everything stays: with exceptions (``all,!head``) a rule of what learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbench import FreezingRule, NoOptions
from rbench_plugins.freezing.tensors import everything

if TYPE_CHECKING:
    from torch import Generator, nn


def select(network: nn.Module, generator: Generator, options: NoOptions) -> set[str]:
    """All parameters and buffers."""
    return everything(network)


COMPONENT = FreezingRule(
    name="all",
    summary="Everything stays as drawn; all,!head lets the classifier learn alone.",
    select=select,
    may_be_empty=True,
)
