"""Names of a network's tensors, for the rules here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def everything(network: nn.Module) -> set[str]:
    """The names of all parameters and buffers."""
    return {name for name, _ in (*network.named_parameters(), *network.named_buffers())}
