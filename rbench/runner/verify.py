"""Compare a record to the record of a repetition of its run."""

from __future__ import annotations

from dataclasses import dataclass

from rbench.records.record import Record

SAME = ("cpu", "gpu", "threads", "device", "processes", "precision", "packages", "python")
TOLERANCE = 0.02
"""Relative tolerance of a metric where machine or versions differ; absolute below 1."""


@dataclass(frozen=True)
class Difference:
    """A metric as recorded and as measured again; the two may differ by ``allowed``."""

    name: str
    recorded: float | None
    measured: float | None
    allowed: float

    @property
    def holds(self) -> bool:
        """Whether the two agree."""
        if self.recorded is None or self.measured is None:
            return self.recorded is self.measured
        return abs(self.recorded - self.measured) <= self.allowed


def same_environment(one: Record, other: Record) -> bool:
    """Whether both were executed on the same kind of machine with the same versions."""
    return all(one.environment.get(key) == other.environment.get(key) for key in SAME)


def compare(recorded: Record, measured: Record) -> list[Difference]:
    """Every metric of either record; equality is required on a CPU in the same environment.

    GPU kernels are not deterministic unless the run asked for it, so the tolerance applies there.
    """
    exact = same_environment(recorded, measured) and (
        measured.environment.get("device") == "cpu" or bool(measured.spec.get("deterministic"))
    )
    old = {value.name: value.value for value in recorded.metrics}
    new = {value.name: value.value for value in measured.metrics}
    return [
        Difference(
            name,
            old.get(name),
            new.get(name),
            0.0 if exact else TOLERANCE * max(1.0, abs(old.get(name) or 0.0)),
        )
        for name in dict.fromkeys([*old, *new])
    ]
