"""``probe``: how much of the classes can be read off the features of a network that stays fixed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from rbench import Options, Task
from rbench_plugins.probing.outcome import ProbeOutcome


class ProbeOptions(Options):
    """The probe, and where in the network it reads."""

    probe: Literal["ridge", "logistic", "knn"] = Field(
        "ridge", description="ridge regression in closed form, logistic regression, k neighbors"
    )
    layers: tuple[str, ...] = Field(
        ("last",),
        description="last: the classifier's input; all: every block, then last; or patterns of "
        "module names. Pictures and attacks see the last one named",
    )
    pool: int = Field(1, ge=1, le=32, description="maps are averaged to pool x pool pixels")
    alpha: float = Field(1.0, gt=0, description="ridge: penalty on the squared weights")
    strength: float = Field(
        1.0, gt=0, description="logistic: weight of the loss against the penalty, scikit-learn's C"
    )
    k: int = Field(20, ge=1, description="knn: neighbors that vote")
    cosine: bool = Field(False, description="knn: by angle, not by Euclidean distance")
    standardize: bool = Field(
        True, description="features with mean 0 and standard deviation 1 on the training images"
    )

    @field_validator("layers", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

    @field_validator("layers")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("needs at least one layer, such as last")
        return value


COMPONENT = Task(
    name="probe",
    summary="A linear or k-NN classifier on the fixed features of a network, layer by layer.",
    question="Probes of fixed features",
    run="rbench_plugins.tasks.functions.probe:run",
    produces=ProbeOutcome,
    options=ProbeOptions,
    dataset="digits",
    metrics=("top1", "probe_layers"),
    trains=lambda options: False,
)
