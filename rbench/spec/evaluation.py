"""What of a run is measured, on which images, and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from rbench.errors import UserError, suggest
from rbench.plugin.catalog import Catalog
from rbench.plugin.components import Metric, Task
from rbench.plugin.recipe import Training
from rbench.spec.chosen import Chosen, choose
from rbench.spec.run_spec import RunSpec


@dataclass(frozen=True)
class ProbeSpec:
    """Metrics that are measured on a split every ``every`` epochs of training, and at the end."""

    metrics: tuple[Chosen[Metric], ...]
    split: Literal["val", "test"]
    every: int
    selects: bool = False
    """Whether the first value decides which epoch is kept."""


def chosen_metrics(spec: RunSpec, task: Task, catalog: Catalog) -> tuple[Chosen[Metric], ...]:
    """The metrics that the spec names, or else the task's; UserError where one does not fit."""
    names = task.metrics if spec.metrics is None else spec.metrics
    chosen = []
    for name in dict.fromkeys(names):
        metric = catalog.metric(name)
        if not issubclass(task.produces, metric.reads):
            able = [
                other.name
                for other in catalog.components("metric")
                if isinstance(other, Metric) and issubclass(task.produces, other.reads)
            ]
            raise UserError(
                f"the metric {name} reads a {metric.reads.__name__}, which the task {task.name} "
                f"does not yield; it can feed {', '.join(able)}"
            )
        chosen.append(choose(metric, spec.metric_kwargs.get(name, {}), "--metric-kwargs"))
    idle = set(spec.metric_kwargs) - set(names)
    if idle:
        name = sorted(idle)[0]
        raise UserError(
            f"--metric-kwargs name '{name}', which is not measured{suggest(name, names)}"
        )
    return tuple(chosen)


def probe_specs(
    spec: RunSpec,
    task: Task,
    training: Training | None,
    metrics: tuple[Chosen[Metric], ...],
    catalog: Catalog,
) -> tuple[ProbeSpec, ...]:
    """What is measured between epochs: the score that selects one, and curves."""
    if spec.measure_on == "val" and spec.val is None:
        raise UserError("--measure-on val needs a validation split, such as --val 0.1")
    held_out: Literal["val", "test"] = "test" if spec.val is None else "val"
    found: list[ProbeSpec] = []

    def add(names: Iterable[str], split: Literal["val", "test"], every: int, flag: str) -> None:
        if split == "val" and spec.val is None:
            raise UserError(f"{flag} needs a validation split, such as --val 0.1")
        asked = spec.model_copy(update={"metrics": tuple(names), "metric_kwargs": kwargs(names)})
        found.append(ProbeSpec(chosen_metrics(asked, task, catalog), split, every))

    def kwargs(names: Iterable[str]) -> dict[str, Any]:
        return {k: v for k, v in spec.metric_kwargs.items() if k in set(names)}

    if training is not None and training.keep == "best":
        if task.score is None:
            raise UserError(f"--keep best: the task {task.name} has no score to select an epoch by")
        score = choose(catalog.metric(task.score), {}, "--metric-kwargs")
        found.append(ProbeSpec((score,), held_out, 1, selects=True))
    for metric in metrics:
        for curve in metric.component.curves(metric.options):
            if training is None:
                raise UserError(f"the metric {metric.component.name} needs a task that trains")
            flag = f"the metric {metric.component.name}"
            add([curve.metric], curve.split, curve.every, flag)
    if training is not None and spec.eval_every is not None:
        names = spec.eval_metrics or ((task.score,) if task.score else task.metrics[:1])
        add(names, spec.eval_split or held_out, spec.eval_every, "--eval-split val")
    return tuple(found)


def evaluation_identity(spec: RunSpec, probes: tuple[ProbeSpec, ...]) -> dict[str, Any]:
    """What of the validation split and the selection of an epoch can change a number."""
    found: dict[str, Any] = {}
    if spec.val is not None:
        found["val"] = spec.val
    if spec.measure_on != "test":
        found["measure_on"] = spec.measure_on
    if spec.limit_test is not None:
        found["limit_test"] = spec.limit_test
    for probe in probes:
        if probe.selects:
            found["selection"] = {"metric": probe.metrics[0].identity(), "split": probe.split}
    return found
