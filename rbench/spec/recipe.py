"""The recipe of a run: a registered one or a file, after the changes of the spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rbench.errors import UserError, suggest
from rbench.plugin.components import Dataset, Task
from rbench.plugin.recipe import Training
from rbench.spec import registry
from rbench.spec.augmentation import check_augmentation
from rbench.spec.chosen import Chosen
from rbench.spec.parse import parse
from rbench.spec.precision import bfloat16_is_faster
from rbench.spec.run_spec import RunSpec

USED_WITH: dict[str, tuple[str, Callable[[Training], bool]]] = {
    "decay_milestones": ("sched = multistep", lambda t: t.sched == "multistep"),
    "decay_epochs": ("sched = step", lambda t: t.sched == "step"),
    "decay_rate": (
        "sched = step, multistep or poly",
        lambda t: t.sched in ("step", "multistep", "poly"),
    ),
    "min_lr": ("sched = cosine, poly or tanh", lambda t: t.sched in ("cosine", "poly", "tanh")),
    "warmup_epochs": ("a sched other than none", lambda t: t.sched != "none"),
    "warmup_lr": ("warmup_epochs above 0", lambda t: t.warmup_epochs > 0),
    "bce_target_thresh": ("bce_loss", lambda t: t.bce_loss),
    "amp_dtype": ("amp", lambda t: bool(t.amp)),
}
"""Fields that change nothing unless another one has a certain value: which, and whether it has."""


def resolve_recipe(
    spec: RunSpec, chosen: Chosen[Task], dataset: Dataset, device: str
) -> tuple[str | None, Training | None]:
    """The recipe's name and its fields after the spec's changes; None for both without training.

    UserError for a change that would have no effect.
    """
    task = chosen.component
    if not task.trains(chosen.options):
        if spec.training or spec.recipe:
            raise UserError(f"the task {task.name} does not train here, so it takes no recipe")
        return None, None
    name = spec.recipe or (dataset.recipe if task.recipe is None else task.recipe)
    if name is None:
        raise UserError(f"the task {task.name} needs a --recipe on {dataset.name}")
    table = registry.find("recipes", name)
    fields = registry.recipe_fields(table)
    unknown = [key for key in spec.training if key not in Training.model_fields]
    if unknown:
        raise UserError(
            f"unknown training option '{unknown[0]}'{suggest(unknown[0], Training.model_fields)}"
        )
    training = parse(Training, {**fields, **spec.training}, f"recipe {name}")
    if training.aa is not None:
        check_augmentation(training.aa)
    if training.amp is None:
        training = training.model_copy(update={"amp": bfloat16_is_faster(device)})
    _check_used(spec.training, training)
    if training.amp and training.amp_dtype == "float16" and device == "cpu":
        # Autocast would compute in float32 there, and the record would say float16.
        raise UserError("--amp-dtype float16 needs a GPU; on a CPU take bfloat16, or --no-amp")
    return table["name"], training


def _check_used(given: Mapping[str, Any], training: Training) -> None:
    """UserError where one of the ``given`` fields has no effect beside the others."""
    for name in given:
        default = Training.model_fields[name].default
        if name not in USED_WITH or getattr(training, name) == default:
            continue
        condition, holds = USED_WITH[name]
        if not holds(training):
            raise UserError(f"{name} has no effect here: it is used with {condition}")
