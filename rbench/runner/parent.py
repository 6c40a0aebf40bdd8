"""A finished run whose saved weights are measured in place of a training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rbench.errors import UserError
from rbench.network.build import load_weights, state_sha256
from rbench.records.record import Record

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Parent:
    """Its record, and the file of its weights."""

    record: Record
    weights: Path

    def load_into(self, network: nn.Module) -> dict[str, list[float]]:
        """Load the weights and return the history of the training; what is missing is NaN.

        UserError if they are not the weights that the record names.
        """
        load_weights(network, self.weights)
        if state_sha256(network) != self.record.result_sha256:
            raise UserError(f"{self.weights} does not hold the weights that its record names")
        return {
            name: [math.nan if value is None else value for value in values]
            for name, values in self.record.history.items()
        }


__all__ = ["Parent"]
