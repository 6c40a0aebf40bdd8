"""A network's features at several layers in one pass."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rbench import UserError

LAST = "last"
"""The name of the classifier's input."""


@dataclass(frozen=True)
class Columns:
    """Where one layer's features are in the rows of a feature matrix."""

    layer: str
    start: int
    stop: int


def blocks(network: nn.Module) -> list[str]:
    """The layers of a layer-by-layer probe, in order: every block, then ``last``.

    A block is a module that stands in a ``Sequential`` or ``ModuleList`` on the first level of the
    network (``layer1.0``, ``blocks.3``), or in one on the second level where the first is a list
    of stages (``stages.0.blocks.2``). A network without any is probed at its direct children.
    """
    names: list[str] = []
    for name, child in network.named_children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            names += [f"{name}.{inner}" for inner, _ in child.named_children()]
    deeper: list[str] = []
    for name in names:
        stage = network.get_submodule(name)
        inner = [
            f"{name}.{key}.{index}"
            for key, value in stage.named_children()
            if isinstance(value, nn.Sequential | nn.ModuleList) and key == "blocks"
            for index, _ in value.named_children()
        ]
        deeper += inner or [name]
    if not deeper:
        deeper = [name for name, _ in network.named_children()]
    classifier = classifier_of(network)
    return [name for name in deeper if network.get_submodule(name) is not classifier] + [LAST]


def classifier_of(network: nn.Module) -> nn.Module | None:
    """The classifier that timm's models name, or the last linear layer."""
    get_classifier = getattr(network, "get_classifier", None)
    found = get_classifier() if callable(get_classifier) else None
    if isinstance(found, nn.Module):
        return found
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return linear[-1] if linear else None


def chosen(network: nn.Module, layers: Sequence[str]) -> list[str]:
    """The names that ``layers`` ask for: ``last``, ``all``, or patterns of module names."""
    names: list[str] = []
    known = [name for name, _ in network.named_modules() if name]
    for layer in layers:
        if layer == LAST:
            found = [LAST]
        elif layer == "all":
            found = blocks(network)
        else:
            found = fnmatch.filter(known, layer)
        if not found:
            raise UserError(
                f"layers={layer}: the network has no such module; there are all, last, "
                + ", ".join(known[:8])
            )
        names += [name for name in found if name not in names]
    return names


class Features(nn.Module):
    """Images (B, C, H, W) in [0, 1] -> features (B, d) of all ``layers``, side by side.

    Maps (B, C, h, w) are averaged to ``pool`` x ``pool`` pixels and flattened, tokens (B, N, C)
    averaged over the tokens. ``columns`` says which features are which layer's, once the module
    has run.
    """

    def __init__(self, network: nn.Module, layers: Sequence[str], pool: int) -> None:
        super().__init__()
        self.network, self.layers, self.pool = network, list(layers), pool
        self.columns: list[Columns] = []
        inner = getattr(network, "network", network)
        self._channels_last = "NHWC" in str(getattr(inner, "output_fmt", ""))
        self._seen: dict[str, Tensor] = {}
        self._inner = [inner]  # a list: not a second path to the same parameters

    def forward(self, images: Tensor) -> Tensor:
        """Run the network once; every hook keeps the last output of its layer."""
        (inner,) = self._inner
        self._seen.clear()
        handles = [self._hook(inner, name) for name in self.layers]
        try:
            output = self.network(images)
        finally:
            for handle in handles:
                handle.remove()
        parts = []
        self.columns, start = [], 0
        for name in self.layers:
            part = self._seen.get(name)
            if part is None and name == LAST:
                part = self._flat(output)  # a network without a classifier
            if part is None:
                raise UserError(f"the layer {name} has no output on the way to the logits")
            self.columns.append(Columns(name, start, start + part.shape[1]))
            start += part.shape[1]
            parts.append(part)
        self._seen.clear()
        return torch.cat(parts, dim=1)

    def _hook(self, inner: nn.Module, name: str) -> Any:
        if name != LAST:
            module = inner.get_submodule(name)

            def after(module: nn.Module, inputs: Any, output: Any) -> None:
                self._seen[name] = self._flat(output)

            return module.register_forward_hook(after)
        classifier = classifier_of(inner)

        def before(module: nn.Module, inputs: Any) -> None:
            self._seen[name] = self._flat(inputs[0])

        return (classifier or nn.Identity()).register_forward_pre_hook(before)

    def _flat(self, output: Any) -> Tensor:
        if isinstance(output, tuple | list):
            output = output[0]
        if output.ndim == 4:
            if self._channels_last:
                output = output.permute(0, 3, 1, 2)
            output = F.adaptive_avg_pool2d(output, self.pool)
        elif output.ndim == 3:
            output = output.mean(1)
        flat: Tensor = output.flatten(1)
        return flat


class Probed(nn.Module):
    """Images (B, C, H, W) in [0, 1] -> logits (B, classes): features, and a probe on them."""

    def __init__(self, features: Features, probe: nn.Module) -> None:
        super().__init__()
        self.features, self.probe = features, probe

    def forward(self, images: Tensor) -> Tensor:
        """The probe computes in its own precision; logits are float32."""
        read = self.features(images).to(next(self.probe.buffers()).dtype)
        logits: Tensor = self.probe(read).float()
        return logits
