"""What it took to reach a target accuracy: training seconds, images, epochs."""

from __future__ import annotations

import math

from pydantic import Field

from rbench import Metric, MetricContext, MetricValue, Options, Outcome

NAME = "time_to_target"
CURVES = ("top1@val", "top1@test")


class TargetOptions(Options):
    """Options of ``time_to_target``."""

    target: float = Field(90.0, description="the value to reach, such as 90 for 90 % top-1")
    curve: str | None = Field(
        None, description="a series of the record's history; none: top1@val, or else top1@test"
    )
    lower_is_better: bool = Field(False, description="reach the target from above, as for a loss")


def measure(outcome: Outcome, context: MetricContext, options: TargetOptions) -> list[MetricValue]:
    """``seconds_to_target``, ``images_to_target`` and ``epochs_to_target``, lower is better.

    Taken at the end of the first epoch whose value reaches the target; epochs between two
    evaluations are not interpolated. Seconds are of training alone, without evaluation. None with
    a note if the run did not reach the target. The curves come from ``--eval-every``; without
    them the metric has no values.
    """
    history = outcome.history
    wanted = CURVES if options.curve is None else (options.curve,)
    name = next((series for series in wanted if series in history), None)
    if name is None or "seconds" not in history or "images" not in history:
        context.note(f"{NAME}: the history has no curve {' or '.join(wanted)}; see --eval-every")
        return []
    sign = -1 if options.lower_is_better else 1
    reached = next(
        (
            epoch
            for epoch, value in enumerate(history[name])
            if math.isfinite(value) and sign * value >= sign * options.target
        ),
        None,
    )
    if reached is None:
        context.note(f"{NAME}: {name} did not reach {options.target:g}")
    found = {
        ("seconds_to_target", "s"): None if reached is None else history["seconds"][reached],
        ("images_to_target", "images"): None if reached is None else history["images"][reached],
        ("epochs_to_target", "epochs"): None if reached is None else float(reached + 1),
    }
    return [
        MetricValue(
            name=quantity,
            value=value,
            unit=unit,
            higher_is_better=False,
            details={"curve": name, "target": options.target},
        )
        for (quantity, unit), value in found.items()
    ]


COMPONENT = Metric(
    name=NAME,
    summary="Training seconds, images and epochs until a curve reaches a target accuracy.",
    measure=measure,
    options=TargetOptions,
)
