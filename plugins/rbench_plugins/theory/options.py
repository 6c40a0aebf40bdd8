"""Options of the metric ``theory``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from rbench import Options


class TheoryOptions(Options):
    """Options of ``theory``."""

    delta: float = Field(0.05, gt=0, lt=1, description="the bounds hold with probability 1 - delta")
    deltas: tuple[float, ...] = Field(
        (0.01, 0.05, 0.1, 0.2, 0.5, 0.9), description="where the rate of violations is counted"
    )
    limit: Literal["auto", "l2", "average"] = Field(
        "auto",
        description="f* by Theorem 4 (l2) or Theorem 10 (average); auto: average for networks "
        "with average pools and no others, else l2",
    )

    pictures: int = Field(4, ge=0, le=64, description="images shown beside f* and f")

    @field_validator("deltas")
    @classmethod
    def _probabilities(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < value < 1 for value in values):
            raise ValueError("each delta is more than 0 and less than 1")
        return values
