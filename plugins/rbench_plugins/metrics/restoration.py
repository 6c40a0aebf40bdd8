"""PSNR of restored images: at the end, of the average, and where the truth would have stopped."""

from __future__ import annotations

from rbench import Metric, MetricContext, MetricValue, NoOptions
from rbench_plugins.restoration.outcome import RestorationOutcome


def measure(
    outcome: RestorationOutcome, context: MetricContext, options: NoOptions
) -> list[MetricValue]:
    """Means over the images, in dB, against the true images.

    ``restoration_average`` and ``restoration_last`` need no truth but to be measured.
    ``restoration_oracle`` is the best of the checks: early stopping by the truth, which is an
    upper bound and not a method; ``restoration_oracle_step`` is when that was.
    ``restoration_observed`` is that of the degraded image.
    """
    courses = outcome.courses
    oracle = [max(course.current) for course in courses]
    steps = [
        course.steps[course.current.index(best)]
        for course, best in zip(courses, oracle, strict=True)
    ]
    return [
        _value("restoration_average", [course.average[-1] for course in courses]),
        _value("restoration_last", [course.current[-1] for course in courses]),
        _value("restoration_oracle", oracle),
        _value("restoration_oracle_step", [float(step) for step in steps], "steps", None),
        _value("restoration_observed", [course.observed for course in courses], better=None),
    ]


def _value(
    name: str, values: list[float], unit: str = "dB", better: bool | None = True
) -> MetricValue:
    n = len(values)
    mean = sum(values) / n
    variance = sum((value - mean) ** 2 for value in values) / (n - 1) if n > 1 else None
    return MetricValue(
        name=name,
        value=mean,
        unit=unit,
        higher_is_better=better,
        n=n,
        uncertainty=None if variance is None else (variance / n) ** 0.5,
        uncertainty_kind=None if variance is None else "standard error over images",
        details={"per_image": [round(value, 4) for value in values]},
    )


COMPONENT = Metric(
    name="restoration",
    summary="PSNR of restored images at the end, of the average, and of an oracle's stop.",
    measure=measure,
    reads=RestorationOutcome,
)
