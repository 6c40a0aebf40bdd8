"""P2's rule: random spatial filters (section 3): all else learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbench import FreezingRule, NoOptions, SpatialModule, UserError, spatial_parameters

if TYPE_CHECKING:
    from torch import Generator, nn


def select(network: nn.Module, generator: Generator, options: NoOptions) -> set[str]:
    """Convolutions of more than one tap, stem and depthwise ones included, with their biases.

    1x1 convolutions, norms and the classifier learn. Nothing is selected where a layer has drawn
    its filters and keeps their combination only (an LC-block trained through its Gram matrix).
    UserError where the network has no spatial convolution.
    """
    names = spatial_parameters(network)
    if not names and not any(isinstance(module, SpatialModule) for module in network.modules()):
        raise UserError("--freeze spatial: the network has no spatial convolution")
    return names


COMPONENT = FreezingRule(
    name="spatial",
    summary="Convolutions with more than one tap stay as drawn, the stem included.",
    select=select,
    may_be_empty=True,
)
