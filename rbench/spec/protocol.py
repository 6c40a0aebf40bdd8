"""What makes the numbers of two runs comparable, as a digest and in words.

Comparable are runs of one task on the same data with the same recipe and limit. Which metrics a
run measured besides does not matter: the options of a metric belong to its own column.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from rbench.errors import UserError
from rbench.plugin.recipe import Training
from rbench.spec import registry

EVALUATION = ("val", "measure_on", "selection", "limit_test")
"""Parts of the identity about validation, the selection of an epoch, and the images measured."""
UNTITLED = frozenset({"epochs", "amp", "amp_dtype"})
"""Fields of a recipe that a title says elsewhere, or that follow from the machine."""


def protocol(identity: Mapping[str, Any], free: Collection[str] = ()) -> str:
    """Twelve letters that comparable runs share.

    ``free`` are the task's options that a table compares (``Task.compared``).
    """
    return digest(rules(identity, free))[:12]


def protocol_with_metrics(identity: Mapping[str, Any], free: Collection[str] = ()) -> str:
    """The form of records made before metrics were left out of it."""
    return digest({**rules(identity, free), "metrics": identity.get("metrics")})[:12]


def rules(identity: Mapping[str, Any], free: Collection[str] = ()) -> dict[str, Any]:
    """The parts of a run's identity that make its protocol."""
    task = identity.get("task")
    if isinstance(task, Mapping) and isinstance(task.get("options"), Mapping):
        task = {**task, "options": {k: v for k, v in task["options"].items() if k not in free}}
    found = {key: identity.get(key) for key in ("dataset", "training", "limit")}
    # Runs have these only where they ask for them, so that no digest has changed.
    found |= {key: identity[key] for key in EVALUATION if key in identity}
    return {**found, "task": task}


def tuned(identity: Mapping[str, Any], axes: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of a tuned run with the range of each tuned field in place of its value.

    Runs whose values were chosen from the same ranges are comparable, whatever was chosen.
    ``axes`` is a record's ``tuning.axes``: a field of the recipe (``training.lr``) to its range.
    """
    training = dict(identity.get("training") or {})
    for name, axis in axes.items():
        first, _, field = name.partition(".")
        if first == "training" and field in training:
            training[field] = axis
    return {**identity, "training": training}


def title(identity: Mapping[str, Any]) -> str:
    """The protocol in words: ``classification · digits · recipe digits, lr 0.1 · 6 epochs``."""
    task, dataset = identity["task"], identity["dataset"]
    recipe, training, size = identity.get("recipe"), identity.get("training"), dataset["img_size"]
    parts = [
        task["name"],
        registry.known_name(dataset) or dataset["name"],
        f"{size[0]}x{size[1]} px" if size else "",
        ", ".join([f"recipe {recipe}", *changes(recipe, training)]) if recipe else "",
        f"{training['epochs']} epochs" if training and training["epochs"] != 1 else "",
        "1 epoch" if training and training["epochs"] == 1 else "",
        f"first {identity['limit']} images" if identity.get("limit") else "",
        f"{identity['limit_test']} test images" if identity.get("limit_test") else "",
        _validation(identity),
    ]
    return " · ".join(filter(None, parts))


def _validation(identity: Mapping[str, Any]) -> str:
    """The validation split in words, and whether the numbers are of it."""
    val = identity.get("val")
    if val is None:
        return ""
    if isinstance(val, int | float):
        text = (f"{100 * val:g} %" if val < 1 else f"{val:g} images") + " for validation"
    else:
        text = "validation split"
    return f"{text}, measured on them" if identity.get("measure_on") == "val" else text


def changes(
    recipe: str, training: Mapping[str, Any] | None, left_out: Collection[str] = UNTITLED
) -> list[str]:
    """``lr 0.1``: the fields in which a training differs from the recipe of that name."""
    declared = _declared(recipe)
    return [
        in_words(name, value)
        for name, value in sorted((training or {}).items())
        if declared.get(name, value) != value and name not in left_out
    ]


@lru_cache(maxsize=256)
def _declared(recipe: str) -> dict[str, Any]:
    """The fields of a recipe of the registry; none of one that is a file."""
    try:
        given = registry.recipe_fields({"name": recipe, **registry.read("recipes", recipe)})
        return Training.model_validate(given).model_dump(mode="json")
    except (UserError, ValueError):
        return {}


def in_words(name: str, value: Any) -> str:
    """``lr 0.1``, ``no nesterov``, ``betas 0.9/0.999``, ``mixed precision``."""
    words = name.rpartition(".")[2].replace("_", " ")
    if words == "amp" and isinstance(value, bool):
        return "mixed precision" if value else "float32"
    if isinstance(value, Mapping):
        return f"{words} tuned in {value.get('low', 0):g} to {value.get('high', 0):g}"
    if isinstance(value, bool):
        return words if value else f"no {words}"
    if value is None:
        return f"no {words}"
    if isinstance(value, list | tuple):
        return f"{words} {'/'.join(map(str, value))}"
    return f"{words} {value:g}" if isinstance(value, float) else f"{words} {value}"


def digest(content: object) -> str:
    """SHA-256 of ``content`` as canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
