"""Choosing values from a suite's trials: each configuration takes those with the best score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.records.record import Record, Tried, Tuning, read
from rbench.records.store import Store
from rbench.spec.resolve import Contents, Resolved, resolve
from rbench.spec.run_spec import RunSpec
from rbench.spec.suite_spec import SuiteSpec, assign
from rbench.spec.tune_spec import TuneSpec


@dataclass(frozen=True)
class Arm:
    """A configuration and what its tuning came to."""

    name: str
    tuning: Tuning


def tune(
    suite: SuiteSpec,
    overrides: Mapping[str, Any],
    store: Store,
    catalog: Catalog,
    *,
    gpus_elsewhere: bool = False,
) -> list[Arm]:
    """The best values of every configuration, from the records of its trials.

    A trial that failed, such as one that diverged, has no score. UserError if a trial has not
    run yet, or if every trial of a configuration failed. For ``gpus_elsewhere``, of the trials,
    see :func:`rbench.spec.resolve.resolve`.
    """
    assert suite.tune is not None
    names = suite.names()
    scores: dict[int, dict[int, list[float | None]]] = defaultdict(lambda: defaultdict(list))
    points = suite.tune.points()
    missing, lower_is_better = 0, False
    contents: Contents = {}
    trials = suite.trials(overrides)
    for trial in trials:
        run = resolve(trial.spec, catalog, contents, gpus_elsewhere=gpus_elsewhere)
        record = _record(run.named_in(store), store)
        if record is None:
            missing += 1
            continue
        score, lower = _score(record, suite.tune.value_name)
        lower_is_better |= lower
        scores[trial.arm][points.index(trial.point)].append(score)
    if missing:
        raise UserError(
            f"{missing} of {len(trials)} trials have no record in {store.output}; "
            f"type: rbench tune {suite.name} --output {store.output}"
        )
    return [
        Arm(names[arm], _choose(suite, names[arm], found, points, lower_is_better))
        for arm, found in scores.items()
    ]


def tuned_specs(
    suite: SuiteSpec,
    overrides: Mapping[str, Any],
    store: Store,
    catalog: Catalog,
    *,
    gpus_elsewhere: bool = False,
) -> list[RunSpec]:
    """The suite's runs with the values that :func:`tune` chose; each says how they were chosen."""
    if suite.tune is None:
        raise UserError(f"--tuned: the suite {suite.name} has no [tune] table")
    arms = tune(suite, overrides, store, catalog, gpus_elsewhere=gpus_elsewhere)
    found = []
    for arm, spec in suite.runs_by_configuration(overrides):
        fields = spec.model_dump(exclude_unset=True)
        for name, value in arms[arm].tuning.chosen.items():
            assign(fields, name, value)
        fields["tuning"] = arms[arm].tuning.model_dump(mode="json")
        found.append(RunSpec.model_validate(fields))
    return found


def _record(run: Resolved, store: Store) -> Record | None:
    """The record of a trial that has ended, well or not; None if there is none."""
    if store.status(run.slug, run.digest) in ("done", "failed"):
        return read(store.record(run.slug))
    return None


def _score(record: Record, name: str) -> tuple[float | None, bool]:
    """A trial's score, and whether a lower one is better."""
    if record.status != "done":
        return None, False
    try:
        value = record.metric(name)
    except KeyError:
        named = ", ".join(value.name for value in record.metrics)
        raise UserError(f"[tune] select: no metric {name}; the trials have {named}") from None
    return value.value, value.higher_is_better is False


def _choose(
    suite: SuiteSpec,
    name: str,
    found: Mapping[int, Sequence[float | None]],
    points: Sequence[dict[str, float]],
    lower_is_better: bool,
) -> Tuning:
    tuned = suite.tune
    assert tuned is not None
    means = [_mean(found[place]) for place in range(len(points))]
    usable = [place for place, mean in enumerate(means) if mean is not None]
    if not usable:
        raise UserError(f"suite {suite.name}: every trial of {name} failed")

    def merit(place: int) -> tuple[float, list[float]]:
        mean = means[place]
        assert mean is not None
        # Of equal scores the lowest values win, so that the choice does not depend on the order.
        return (mean if lower_is_better else -mean, list(points[place].values()))

    best = min(usable, key=merit)
    score = means[best]
    assert score is not None
    return Tuning(
        suite=suite.name,
        select=tuned.select,
        trials=tuned.trials,
        seed=tuned.seed,
        seeds=tuned.seeds,
        axes={n: axis.model_dump(mode="json") for n, axis in tuned.axes.items()},
        chosen=points[best],
        score=score,
        at_edge=at_edge(tuned, points, points[best]),
        tried=[Tried(values=p, score=m) for p, m in zip(points, means, strict=True)],
    )


def at_edge(
    tuned: TuneSpec, points: Sequence[dict[str, float]], chosen: Mapping[str, float]
) -> list[str]:
    """The axes on which the chosen value is the lowest or highest that was tried."""
    return [
        name
        for name in tuned.axes
        if chosen[name] in (min(p[name] for p in points), max(p[name] for p in points))
    ]


def _mean(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known and len(known) == len(scores) else None


__all__ = ["Arm", "at_edge", "tune", "tuned_specs"]
