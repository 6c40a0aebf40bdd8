"""What an initializer may know of the layer that it draws."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

KINDS = ("conv", "linear", "norm", "other")
SCOPES = ("spatial", *KINDS, "all")
"""What ``--init-scope`` names: ``spatial`` are the convolutions of more than one tap."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One of the layers that an initializer draws, in the order of ``named_modules``.

    ``fan_in`` and ``fan_out`` are the numbers of inputs and outputs that one output or input is
    connected to: c_in/groups k^2 and c_out/groups k^2 for a convolution (PyTorch's own count of
    ``fan_out`` does not divide by groups), features for a linear layer, 1 and 1 otherwise.
    """

    name: str
    """Of the module, such as ``layer1.0.conv2``; of a parameter that belongs to none of the kinds,
    its own, such as ``pos_embed``."""
    index: int = 0
    count: int = 1
    """How many layers are drawn in all."""
    kind: str = "conv"
    """conv, linear, norm or other."""
    fan_in: int = 1
    fan_out: int = 1
    stride: int = 1
    groups: int = 1
    residual: Callable[[], bool] = field(default=lambda: False, repr=False, compare=False)
    last_of_branch: Callable[[], bool] = field(default=lambda: False, repr=False, compare=False)

    @property
    def depth(self) -> float:
        """0 at the first and 1 at the last of the drawn layers; 0 where there is one only."""
        return self.index / (self.count - 1) if self.count > 1 else 0.0

    @property
    def is_last(self) -> bool:
        """Whether it is the last of the drawn layers."""
        return self.index == self.count - 1

    @property
    def in_residual(self) -> bool:
        """Whether it lies on a residual branch: its output is added to something that bypasses it.

        Found by one pass of a blank image through the network, when it is first asked for. Of two
        branches that are added, the one with more layers counts, so that the convolution of a
        shortcut does not.
        """
        return self.residual()

    @property
    def ends_residual(self) -> bool:
        """Whether it is the last convolution or linear layer of a residual branch.

        Of all that the network has, drawn or not. Found as :attr:`in_residual` is.
        """
        return self.last_of_branch()


def sees_layer(draw: Callable[..., Any]) -> bool:
    """Whether ``draw`` takes a fourth argument, the layer."""
    try:
        parameters = inspect.signature(draw).parameters
    except (TypeError, ValueError):  # functions written in C say nothing
        return False
    positional = [
        p for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return len(positional) > 3 or "layer" in parameters


def needs_layer(draw: Callable[..., Any]) -> bool:
    """Whether ``draw`` takes the layer and has no default for it."""
    if not sees_layer(draw):
        return False
    parameters = inspect.signature(draw).parameters
    layer = parameters.get("layer") or list(parameters.values())[3]
    return layer.default is layer.empty


def scope_identity(scope: str) -> str:
    """``conv`` is "all", as it was called when there was nothing but convolutions to draw."""
    return {"conv": "all", "all": "every weight"}.get(scope, scope)
