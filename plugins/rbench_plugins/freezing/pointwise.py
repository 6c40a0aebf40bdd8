"""1x1 convolutions, the combinations of channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbench import FreezingRule, NoOptions, classifier_parameters
from rbench_plugins.freezing.convolutions import convolution_parameters

if TYPE_CHECKING:
    from torch import Generator, nn


def select(network: nn.Module, generator: Generator, options: NoOptions) -> set[str]:
    """Convolutions of one tap with their biases; not a classifier that is made of one."""
    found = convolution_parameters(network, lambda conv: max(conv.kernel_size) == 1)
    return found - classifier_parameters(network)


COMPONENT = FreezingRule(
    name="pointwise",
    summary="1x1 convolutions stay as drawn, those of shortcuts included.",
    select=select,
)
