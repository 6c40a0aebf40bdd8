"""Spec -> components, validated options, recipe and identity: all that is known before a run.

No torch here, so that ``plan`` and every error in the user's input are quick.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from rbench import hardware
from rbench.errors import UnknownName, UserError
from rbench.files import user_path
from rbench.plugin.catalog import Catalog
from rbench.plugin.components import Architecture, Dataset, Initializer, Metric, Task
from rbench.plugin.contexts import DataContext
from rbench.plugin.layer import scope_identity
from rbench.plugin.loose import with_files
from rbench.plugin.recipe import Training
from rbench.plugin.source import source_digest
from rbench.records.store import Store
from rbench.spec import registry
from rbench.spec.chosen import Chosen, choose
from rbench.spec.evaluation import (
    ProbeSpec,
    chosen_metrics,
    evaluation_identity,
    probe_specs,
)
from rbench.spec.freezing import Freezing, check_stages, freezing
from rbench.spec.names import slug
from rbench.spec.protocol import digest, protocol, title
from rbench.spec.recipe import resolve_recipe
from rbench.spec.run_spec import Kwargs, RunSpec

DIGEST_VERSION = 1


@dataclass(frozen=True)
class Resolved:
    """A run of which everything is known but the numbers."""

    spec: RunSpec
    model: Chosen[Architecture]
    init: Chosen[Initializer] | None
    init_norm: Chosen[Initializer] | None
    dataset: Chosen[Dataset]
    task: Chosen[Task]
    metrics: tuple[Chosen[Metric], ...]
    freezing: Freezing
    probes: tuple[ProbeSpec, ...]
    """What is measured between epochs."""
    training: Training | None
    """The recipe after the spec's changes; None for a task that does not train."""
    recipe: str | None
    device: str
    identity: dict[str, Any]
    """What can change the numbers, as JSON; ``digest`` is its SHA-256."""
    digest: str
    protocol: str
    """Twelve letters that comparable runs share."""
    protocol_name: str
    known_as: str | None = None
    """The name that the run has in a results folder already (see ``Store.name``)."""

    @property
    def trained(self) -> bool:
        """Whether parameters of the network learn in the run."""
        return self.task.component.lets_learn(self.task.options)

    @property
    def components(self) -> dict[str, object]:
        """Every component that takes part, by kind and name: ``metric top1``."""
        chosen: list[Chosen[Any] | None]
        chosen = [self.model, self.init, self.init_norm, self.dataset, self.task, *self.metrics]
        components = [one.component for one in chosen if one is not None]
        return {f"{one.kind} {one.name}": one for one in (*components, *self.freezing.components)}

    @property
    def wants_curves(self) -> bool:
        """Whether somebody asked for values between epochs, and not only to select one."""
        return any(not probe.selects for probe in self.probes)

    @cached_property
    def sources(self) -> dict[str, str]:
        """The digest of each component's source files, such as ``{"metric top1": "..."}``."""
        found = {name: source_digest(one) for name, one in self.components.items()}
        return {name: digest[:16] for name, digest in found.items() if digest is not None}

    @cached_property
    def slug(self) -> str:
        """The file name of its record (see :func:`rbench.spec.names.slug`)."""
        return slug(self) if self.known_as is None else self.known_as

    def named_in(self, store: Store) -> Resolved:
        """The run by the name that it has in a results folder (see :meth:`Store.name`)."""
        name = store.name(self.slug)
        return self if name == self.slug else replace(self, known_as=name)


def data_folder(spec: RunSpec, dataset: Dataset) -> str | None:
    """``--data-dir``; for a dataset that needs one, the variable ``RBENCH_DATA`` is the default."""
    if spec.data_dir is None and dataset.needs_data_dir:
        return os.environ.get("RBENCH_DATA") or None
    return spec.data_dir


def data_context(spec: RunSpec, task: Task, dataset: Dataset) -> DataContext:
    """How the spec wants its data."""
    folder = data_folder(spec, dataset)
    return DataContext(
        name=dataset.name,
        data_dir=None if folder is None else user_path(folder),
        download=spec.download,
        img_size=spec.img_size,
        in_chans=spec.in_chans,
        labels=task.labels,
        skip_bad=spec.skip_bad,
        limit=spec.limit,
        limit_test=spec.limit_test,
    )


Contents = dict[tuple[str, str, str], str | None]
"""The contents of datasets that have been looked at: by name, place and form, and options."""


def resolve(
    spec: RunSpec,
    catalog: Catalog,
    contents: Contents | None = None,
    *,
    gpus_elsewhere: bool = False,
) -> Resolved:
    """Look everything up and check it; UserError where the spec cannot be run.

    ``contents`` is filled and used, so that many runs on one dataset look at its files once. With
    ``gpus_elsewhere`` the run is for another machine, one with a GPU, whatever there is here.
    """
    catalog = with_files(catalog, spec.plugin)
    task = choose(catalog.task(spec.task), spec.task_kwargs, "--task-kwargs")
    architecture = catalog.architecture(spec.model)
    model_kwargs = {**architecture.defaults, **spec.model_kwargs}
    model = choose(architecture, model_kwargs, "--model-kwargs")
    if spec.pretrained and not architecture.takes_pretrained(model.options):
        raise UserError(
            f"--pretrained: there are no published weights for {architecture.name} with these "
            "options, and it would stay random; leave --pretrained out, or give weights of your "
            "own by --initial-checkpoint"
        )
    init = _initializer(catalog, spec.init, spec.init_kwargs, "--init")
    init_norm = _initializer(catalog, spec.init_norm, spec.init_norm_kwargs, "--init-norm")
    found = catalog.dataset(spec.dataset or task.component.dataset)
    dataset = choose(found, spec.dataset_kwargs, "--dataset-kwargs")
    if found.needs_data_dir and data_folder(spec, found) is None:
        raise UserError(f"the dataset {found.name} needs --data-dir, or RBENCH_DATA")
    device = _device(spec.device, gpus_elsewhere)
    recipe, training = resolve_recipe(spec, task, found, device)
    metrics = chosen_metrics(spec, task.component, catalog)
    frozen = freezing(spec, catalog)
    check_stages(frozen, task.component, training)
    probes = probe_specs(spec, task.component, training, metrics, catalog)
    identity = {
        "digest_version": DIGEST_VERSION,
        "model": model.identity(),
        "pretrained": spec.pretrained,
        "initial_checkpoint": _file_digest(spec.initial_checkpoint),
        "num_classes": spec.num_classes,
        "init": init.identity() if init else None,
        "init_scope": scope_identity(spec.init_scope) if init else None,
        **({"init_norm": init_norm.identity()} if init_norm else {}),
        **frozen.identity(),
        "task": task.identity(),
        "dataset": _dataset_identity(
            spec, dataset, task.component, {} if contents is None else contents
        ),
        "recipe": recipe,
        "training": training.identity() if training else None,
        "metrics": [metric.identity() for metric in metrics],
        "limit": spec.limit,
        "deterministic": spec.deterministic,
        "seed": spec.seed,
        **({"loose": catalog.loose} if catalog.loose else {}),
        **evaluation_identity(spec, probes),
    }
    return Resolved(
        spec=spec,
        model=model,
        init=init,
        init_norm=init_norm,
        dataset=dataset,
        task=task,
        metrics=metrics,
        freezing=frozen,
        probes=probes,
        training=training,
        recipe=recipe,
        device=device,
        identity=identity,
        digest=digest(identity),
        protocol=protocol(identity, task.component.compared),
        protocol_name=title(identity),
    )


def _initializer(
    catalog: Catalog, name: str | None, kwargs: Kwargs, flag: str
) -> Chosen[Initializer] | None:
    if name:
        return choose(catalog.initializer(name), kwargs, f"{flag}-kwargs")
    if kwargs:
        raise UserError(f"{flag}-kwargs needs {flag}")
    return None


def _dataset_identity(
    spec: RunSpec, dataset: Chosen[Dataset], task: Task, contents: Contents
) -> dict[str, Any]:
    """What of the data can change a number: the set, its options, its contents and its form."""
    content, component = None, dataset.component
    if component.identity is not None:
        context = data_context(spec, task, component)
        form = replace(context, note=print)  # the same function for all
        key = component.name, repr(form), repr(dataset.options)
        if key not in contents:
            contents[key] = component.identity(context, dataset.options)
        found = contents[key]
        content = None if found is None else registry.recorded_content(component.name, found)
    return {
        **dataset.identity(),
        "content": content,
        "img_size": list(spec.img_size) if spec.img_size else None,
        "in_chans": spec.in_chans,
    }


def _device(asked: str, gpus_elsewhere: bool) -> str:
    kind = asked.split(":")[0]
    if kind not in ("auto", "cpu", "cuda", "mps"):
        raise UnknownName("device", asked, ["auto", "cpu", "cuda", "mps"])
    if kind == "mps" and sys.platform != "darwin":
        raise UserError("--device mps: only Macs have it; try --device cpu")
    if gpus_elsewhere and kind in ("auto", "cuda"):
        return "cuda" if kind == "auto" else asked
    if kind == "cuda" and not hardware.has_cuda():
        raise UserError("--device cuda: no CUDA device is visible here; try --device cpu")
    return hardware.resolve_device(asked)


def _file_digest(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        with user_path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot read the checkpoint {path}: {error.strerror}") from error
