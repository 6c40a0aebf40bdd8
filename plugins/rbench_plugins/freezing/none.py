"""Everything learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbench import FreezingRule, NoOptions

if TYPE_CHECKING:
    from torch import Generator, nn


def select(network: nn.Module, generator: Generator, options: NoOptions) -> set[str]:
    """Nothing."""
    return set()


COMPONENT = FreezingRule(
    name="none", summary="Everything learns.", select=select, may_be_empty=True
)
