"""Parameters that stand for other numbers than they hold, such as an LC-block's in one filter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

from torch import nn

from rbench.errors import UserError


@runtime_checkable
class Represents(Protocol):
    """What a layer implements whose parameters stand for other numbers than it keeps.

    An LC-block that is trained as one convolution stands for E times as many 1x1 weights as it
    has; its filters were drawn, added up and forgotten.
    """

    def represented(self) -> Mapping[str, int]:
        """Parameter's name -> how many numbers it stands for; also names of what is not kept,
        which is fixed."""


def represented(network: nn.Module) -> tuple[dict[str, int], dict[str, int]]:
    """Numbers that parameters stand for, and those of what is fixed and not kept."""
    kept = {name for name, _ in network.named_parameters()}
    stands_for: dict[str, int] = {}
    forgotten: dict[str, int] = {}
    for prefix, module in network.named_modules():
        if isinstance(module, Represents):
            for name, numbers in module.represented().items():
                full = f"{prefix}.{name}" if prefix else name
                (stands_for if full in kept else forgotten)[full] = numbers
    return stands_for, forgotten


def refuse_parts(network: nn.Module, names: Iterable[str], what: str) -> None:
    """UserError where parts are to be fixed of a parameter that stands for other numbers.

    ``names`` are the parameters of which single entries are chosen, ``what`` says by whom.
    """
    stands_for, _ = represented(network)
    for name in names:
        if name in stands_for:
            raise UserError(
                f"{what}: {name} stands for other numbers than it holds, so that parts of it "
                "cannot be frozen; build the layer as it is (such as --model-kwargs "
                "execution=folded)"
            )
