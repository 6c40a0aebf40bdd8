"""Depthwise convolutions, which filter each channel by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rbench import FreezingRule, NoOptions
from rbench_plugins.freezing.convolutions import convolution_parameters

if TYPE_CHECKING:
    from torch import Generator, nn


def select(network: nn.Module, generator: Generator, options: NoOptions) -> set[str]:
    """Convolutions with as many groups as input channels, and more than one, with biases."""
    return convolution_parameters(network, _depthwise)


def _depthwise(conv: Any) -> bool:
    return bool(conv.groups == conv.in_channels > 1)


COMPONENT = FreezingRule(
    name="depthwise",
    summary="Depthwise convolutions stay as drawn.",
    select=select,
)
