"""The ``[tune]`` table of a suite: which options are tuned, in which ranges, by which score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, field_validator, model_validator

from rbench.errors import UserError
from rbench.plugin.options import Options
from rbench.spec.run_spec import RunSpec

DIGITS = 4
"""Significant digits of the values that are tried, so that they can be read and typed."""


class TuneAxis(Options):
    """A range of values of one option."""

    low: float
    high: float
    scale: Literal["log", "linear"] = "log"

    @model_validator(mode="after")
    def _in_order(self) -> TuneAxis:
        if not self.low < self.high:
            raise ValueError(f"low = {self.low:g} must be below high = {self.high:g}")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"low = {self.low:g} must be above 0 on a log scale")
        return self

    def value(self, share: float) -> float:
        """The value at ``share`` (0 to 1) of the way from low to high, rounded."""
        if self.scale == "log":
            exact = math.exp(math.log(self.low) + share * math.log(self.high / self.low))
        else:
            exact = self.low + share * (self.high - self.low)
        return float(f"{exact:.{DIGITS}g}")


class TuneSpec(Options):
    """How each configuration of a suite is tuned, with the same values tried for all of them."""

    axes: dict[str, TuneAxis] = Field(min_length=1, description="options, such as training.lr")
    trials: int = Field(ge=2, le=4096, description="values tried for each configuration")
    select: str = Field(
        pattern=r"^.+@val$", description="the score, a metric on the validation split: top1@val"
    )
    seed: int = Field(0, ge=0, description="seed of the quasi-random values")
    seeds: int = Field(1, ge=1, description="runs of each trial; their scores are averaged")

    @field_validator("axes")
    @classmethod
    def _options(cls, axes: dict[str, TuneAxis]) -> dict[str, TuneAxis]:
        for name in axes:
            if name.split(".")[0] not in RunSpec.model_fields:
                raise ValueError(f"{name} is not an option of a run; training.lr is one")
        return axes

    @property
    def metric(self) -> str:
        """The component that measures the score: ``fgsm`` for ``fgsm@1/255@val``."""
        return self.select.partition("@")[0]

    @property
    def value_name(self) -> str:
        """The score's name in a record: ``fgsm@1/255`` for ``fgsm@1/255@val``."""
        return self.select.rpartition("@")[0]

    def points(self) -> list[dict[str, float]]:
        """The values that are tried: a scrambled Halton sequence over the axes' ranges.

        Any number of its points covers each axis evenly, and more trials keep the first ones.
        """
        import numpy as np
        from scipy.stats import qmc

        sampler = qmc.Halton(len(self.axes), scramble=True, rng=np.random.default_rng(self.seed))
        shares = sampler.random(self.trials)
        return [
            {
                name: axis.value(float(share))
                for (name, axis), share in zip(self.axes.items(), row, strict=True)
            }
            for row in shares
        ]


@dataclass(frozen=True)
class Trial:
    """One run of the tuning: which configuration, with which values."""

    arm: int
    """The configuration's place in the suite."""
    point: dict[str, float]
    spec: RunSpec


def check_tunable(name: str, spec: RunSpec) -> None:
    """UserError where a suite's runs have no validation split to tune on."""
    if spec.val is None:
        raise UserError(f"suite {name}: [tune] selects on a validation split: set base.val = 0.1")


__all__ = ["Trial", "TuneAxis", "TuneSpec", "check_tunable"]
