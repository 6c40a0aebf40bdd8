"""Names of the parameters of some of a network's convolutions, for the rules here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def convolution_parameters(network: nn.Module, wanted: Callable[[Any], bool]) -> set[str]:
    """Weights and biases of the convolutions that ``wanted`` says yes to, reparametrized or not."""
    from torch.nn.modules.conv import _ConvNd

    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in network.named_modules()
        if isinstance(module, _ConvNd) and wanted(module)
        for name, _ in module.named_parameters()
    }
