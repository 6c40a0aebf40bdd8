"""How much depends on each layer: reset one at a time (Zhang, Bengio and Singer, 1902.01996).

Measured as by Gavrikov et al. 2024: 1 - cos of the probabilities before and after.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from rbench import ClassificationOutcome, Metric, Options

NAME = "criticality"
Mode = Literal["reinit", "rerand", "zero"]


class CriticalityOptions(Options):
    """Options of ``criticality``."""

    modes: tuple[Mode, ...] = Field(
        ("reinit", "rerand"),
        min_length=1,
        description="reinit: the layer's own initial values; rerand: a fresh draw; zero",
    )
    trials: int = Field(3, ge=1, le=100, description="fresh draws of rerand, averaged")
    images: int = Field(
        1000,
        ge=1,
        description="test images, evenly spaced in the dataset's order and the same for every "
        "run; all of them are classified once per layer and draw",
    )
    filters_only: bool = Field(
        False,
        description="of LC-blocks reset the random filters alone and keep the 1x1 weights "
        "(needs execution=unfolded or folded)",
    )

    @field_validator("modes", mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


COMPONENT = Metric(
    name=NAME,
    summary="What each layer is worth: predictions after it is reset to initial or fresh values.",
    measure="rbench_plugins.metrics.functions.criticality:measure",
    reads=ClassificationOutcome,
    options=CriticalityOptions,
)
