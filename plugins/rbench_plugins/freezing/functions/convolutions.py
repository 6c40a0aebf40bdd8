"""Selects what stays as drawn by the rules that choose some of a network's convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Generator, nn
from torch.nn.modules.conv import _ConvNd

from rbench import NoOptions, classifier_parameters


def depthwise(network: nn.Module, generator: Generator, options: NoOptions) -> set[str]:
    """Convolutions with as many groups as input channels, and more than one, with biases."""
    return _parameters(network, lambda conv: bool(conv.groups == conv.in_channels > 1))


def pointwise(network: nn.Module, generator: Generator, options: NoOptions) -> set[str]:
    """Convolutions of one tap with their biases; not a classifier that is made of one."""
    found = _parameters(network, lambda conv: max(conv.kernel_size) == 1)
    return found - classifier_parameters(network)


def _parameters(network: nn.Module, wanted: Callable[[Any], bool]) -> set[str]:
    """Weights and biases of the convolutions that ``wanted`` says yes to, reparametrized or not."""
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in network.named_modules()
        if isinstance(module, _ConvNd) and wanted(module)
        for name, _ in module.named_parameters()
    }
