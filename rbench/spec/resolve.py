"""Spec -> components, validated options, recipe and identity: all that can be known untouched.

No torch here, so that ``plan`` and every complaint about the user's input are quick.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from rbench import hardware
from rbench.errors import UnknownName, UserError, suggest
from rbench.plugin.catalog import Catalog
from rbench.plugin.components import Architecture, Dataset, Initializer, Metric, Task
from rbench.plugin.contexts import DataContext
from rbench.plugin.options import Options
from rbench.plugin.recipe import Training
from rbench.spec import registry
from rbench.spec.parse import parse
from rbench.spec.run_spec import RunSpec

DIGEST_VERSION = 1


@dataclass(frozen=True)
class Chosen:
    """A component and its validated options."""

    component: Any
    options: Options

    def identity(self) -> dict[str, Any]:
        """What of it can change a number."""
        return {
            "name": self.component.name,
            "revision": self.component.revision,
            "options": self.options.model_dump(mode="json"),
        }


@dataclass(frozen=True)
class Resolved:
    """A run of which everything is known but the numbers."""

    spec: RunSpec
    architecture: Architecture
    model_options: Options
    initializer: Initializer | None
    init_options: Options | None
    dataset: Dataset
    dataset_options: Options
    task: Task
    task_options: Options
    training: Training | None
    recipe: str | None
    metrics: tuple[Chosen, ...]
    device: str
    identity: dict[str, Any]
    digest: str
    protocol: str
    protocol_name: str

    @cached_property
    def slug(self) -> str:
        """A file name for the record: readable, unique by the digest, safe on any system."""
        parts = [self.spec.model, *self.spec.freeze, self.dataset.name, f"s{self.spec.seed}"]
        text = "-".join(map(_safe, parts))
        return f"{text[:80].strip('.')}-{self.digest[:10]}"


@lru_cache(maxsize=4096)
def _safe(part: str) -> str:
    return "".join(c if c.isalnum() or c in "._" else "_" for c in part)


def data_context(spec: RunSpec, task: Task) -> DataContext:
    """How the spec wants its data."""
    return DataContext(
        data_dir=None if spec.data_dir is None else Path(spec.data_dir).expanduser(),
        download=spec.download,
        img_size=spec.img_size,
        in_chans=spec.in_chans,
        labels=task.labels,
        skip_bad=spec.skip_bad,
    )


def resolve(spec: RunSpec, catalog: Catalog) -> Resolved:
    """Look everything up and check it; UserError where the spec cannot be run."""
    task = catalog.task(spec.task)
    task_options = parse(task.options, spec.task_kwargs, f"--task-kwargs of {task.name}")
    architecture = catalog.architecture(spec.model)
    model_options = parse(
        architecture.options,
        {**architecture.defaults, **spec.model_kwargs},
        f"--model-kwargs of {spec.model}",
    )
    initializer = catalog.initializer(spec.init) if spec.init else None
    if spec.init_kwargs and initializer is None:
        raise UserError("--init-kwargs needs --init")
    init_options = (
        parse(initializer.options, spec.init_kwargs, f"--init-kwargs of {initializer.name}")
        if initializer
        else None
    )
    dataset = catalog.dataset(spec.dataset or task.dataset)
    dataset_options = parse(
        dataset.options, spec.dataset_kwargs, f"--dataset-kwargs of {dataset.name}"
    )
    if dataset.needs_data_dir and spec.data_dir is None:
        raise UserError(f"the data set {dataset.name} needs --data-dir")
    device = _device(spec.device)
    recipe, training = _training(spec, task, task_options, dataset, device)
    metrics = _metrics(spec, task, catalog)
    place = data_context(spec, task)
    content = dataset.identity(place, dataset_options) if dataset.identity else None
    identity = {
        "digest_version": DIGEST_VERSION,
        "model": Chosen(architecture, model_options).identity(),
        "pretrained": spec.pretrained,
        "initial_checkpoint": _file_digest(spec.initial_checkpoint),
        "num_classes": spec.num_classes,
        "init": Chosen(initializer, init_options).identity() if init_options else None,
        "init_scope": spec.init_scope if initializer else None,
        "freeze": sorted(spec.freeze),
        "task": Chosen(task, task_options).identity(),
        "dataset": {
            **Chosen(dataset, dataset_options).identity(),
            "content": content,
            "img_size": list(spec.img_size) if spec.img_size else None,
            "in_chans": spec.in_chans,
        },
        "recipe": recipe,
        "training": training.model_dump(mode="json") if training else None,
        "metrics": [metric.identity() for metric in metrics],
        "limit": spec.limit,
        "deterministic": spec.deterministic,
        "seed": spec.seed,
    }
    name = " · ".join(
        [task.name, registry.known_data().get(content or "", dataset.name)]
        + ([f"{spec.img_size[0]}x{spec.img_size[1]} px"] if spec.img_size else [])
        + ([f"recipe {recipe}" + ("*" if spec.training else "")] if recipe else [])
        + ([f"{training.epochs} epochs"] if training else [])
        + ([f"first {spec.limit} images"] if spec.limit else [])
    )
    return Resolved(
        spec=spec,
        architecture=architecture,
        model_options=model_options,
        initializer=initializer,
        init_options=init_options,
        dataset=dataset,
        dataset_options=dataset_options,
        task=task,
        task_options=task_options,
        training=training,
        recipe=recipe,
        metrics=metrics,
        device=device,
        identity=identity,
        digest=digest(identity),
        protocol=protocol(identity, task),
        protocol_name=name,
    )


def protocol(identity: Mapping[str, Any], task: Task) -> str:
    """What runs must share to be comparable, as twelve letters."""
    own = dict(identity["task"])
    own["options"] = {k: v for k, v in own["options"].items() if k not in task.compared}
    rules = {key: identity.get(key) for key in ("dataset", "training", "metrics", "limit")}
    return digest({**rules, "task": own})[:12]


def digest(content: object) -> str:
    """SHA-256 of ``content`` as canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _device(asked: str) -> str:
    kind = asked.split(":")[0]
    if kind not in ("auto", "cpu", "cuda", "mps"):
        raise UnknownName("device", asked, ["auto", "cpu", "cuda", "mps"])
    if kind == "cuda" and not hardware.has_cuda():
        raise UserError("--device cuda: no CUDA device is visible here; try --device cpu")
    return hardware.resolve_device(asked)


def _training(
    spec: RunSpec, task: Task, options: Options, dataset: Dataset, device: str
) -> tuple[str | None, Training | None]:
    if not task.trains(options):
        if spec.training or spec.recipe:
            raise UserError(f"the task {task.name} does not train here, so it takes no recipe")
        return None, None
    name = spec.recipe or (dataset.recipe if task.recipe is None else task.recipe)
    if name is None:
        raise UserError(f"the task {task.name} needs a --recipe on {dataset.name}")
    table = registry.find("recipes", name)
    fields = table.get("training", {})
    unknown = [key for key in spec.training if key not in Training.model_fields]
    if unknown:
        raise UserError(
            f"unknown training option '{unknown[0]}'{suggest(unknown[0], Training.model_fields)}"
        )
    training = parse(Training, {**fields, **spec.training}, f"recipe {name}")
    if training.amp is None:
        training = training.model_copy(update={"amp": hardware.fast_bfloat16(device)})
    return table["name"], training


def _metrics(spec: RunSpec, task: Task, catalog: Catalog) -> tuple[Chosen, ...]:
    names = task.metrics if spec.metrics is None else spec.metrics
    chosen = []
    for name in dict.fromkeys(names):
        metric: Metric = catalog.metric(name)
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
        options = parse(
            metric.options, spec.metric_kwargs.get(name, {}), f"--metric-kwargs of {name}"
        )
        chosen.append(Chosen(metric, options))
    idle = set(spec.metric_kwargs) - set(names)
    if idle:
        name = sorted(idle)[0]
        raise UserError(
            f"--metric-kwargs name '{name}', which is not measured{suggest(name, names)}"
        )
    return tuple(chosen)


def _file_digest(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        with Path(path).expanduser().open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot read the checkpoint {path}: {error.strerror}") from error
