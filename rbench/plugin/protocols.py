"""What a network may offer beyond ``forward``: protocols that the engine and tasks ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import nn


@runtime_checkable
class Redrawable(Protocol):
    """A random network that can turn into further networks of its kind.

    ``redrawable`` is False where part of the weights is not random, such as a trained CNN.
    """

    redrawable: bool

    def redraw(self, network: int) -> None:
        """Draw all weights of the network of that number anew, in place; 0 is the one built."""


@runtime_checkable
class TimmExportable(Protocol):
    """A network that is not one of timm's models but can be written as one."""

    def timm_form(self) -> nn.Module:
        """The same network as timm builds it, ready for ``timm.models.save_for_hf``."""


@runtime_checkable
class RegisteredWithTimm(Protocol):
    """A network whose architecture a plugin's module registers with timm.

    ``timm_module`` is the module to import before timm can open an export, and
    ``timm_arguments`` are those of timm's constructor (None: those in the model's config).
    """

    timm_module: str
    timm_arguments: Mapping[str, Any] | None


__all__ = ["Redrawable", "RegisteredWithTimm", "TimmExportable"]
