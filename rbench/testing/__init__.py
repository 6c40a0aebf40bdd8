"""The conformance kit: what every component of a plugin must keep to, in one call.

A plugin author's whole contract test::

    from rbench.testing import check_plugin

    def test_contract() -> None:
        check_plugin("my_plugin")
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from pydantic import ValidationError
from torch import nn

from rbench.errors import UserError, suggest
from rbench.network.build import state_sha256
from rbench.plugin.catalog import Catalog
from rbench.plugin.components import (
    Architecture,
    ArchitectureFamily,
    Component,
    Dataset,
    DatasetFamily,
    FreezingRule,
    Initializer,
    Metric,
    Task,
)
from rbench.plugin.contexts import BuildContext, DataContext, MetricContext
from rbench.plugin.data import MemoryImages
from rbench.plugin.function import functions
from rbench.plugin.options import Options
from rbench.plugin.outcomes import ClassificationOutcome, ImagesOutcome, Outcome
from rbench.records.record import MetricValue
from rbench.runner.finite import finite_value
from rbench.seeds import generator, global_seed
from rbench.testing.alone import alone
from rbench.testing.tasks import check_task
from rbench.testing.weights import check_initializer, check_rule

MANY = 20
"""A family of more members is not built unless ``models`` names some."""


def check_plugin(
    name: str,
    *,
    models: Iterable[str] = (),
    data_dirs: Mapping[str, Path] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Check every component of the plugin ``name`` (its entry point in the group ``rbench``).

    It must load without torch; each component needs a description and options that have valid
    defaults; components of every kind are run on the CPU on tiny input, must give the same for
    the same seed, and leave the global random state alone. A task that wants other data or another
    network says so by a UserError, which passes.

    ``models`` are members of its families to build; ``data_dirs`` says, by dataset, where
    files for it lie; ``options`` gives, by component, options other than the defaults. Raises
    AssertionError with all complaints, a line each.
    """
    catalog = Catalog.from_environment()
    plugins = {plugin.name: plugin for plugin in catalog.plugins.plugins}
    assert name in plugins, f"no plugin is called '{name}'{suggest(name, plugins)}"
    plugin = plugins[name]
    assert plugin.status == "loaded", f"{name} {plugin.status}: {plugin.error}\n{plugin.traceback}"
    complaints = list(_heavy_imports(name))
    mine = [r.component for r in catalog.plugins.registered if r.plugin == name]
    mine += [catalog.architecture(model) for model in models]
    for component in mine:
        given = (options or {}).get(component.name, {})
        where = f"{component.kind} {component.name}"
        try:
            for complaint in _check(component, given, catalog, data_dirs or {}):
                complaints.append(f"{where}: {complaint}")
        except Exception as error:
            complaints.append(f"{where}: {type(error).__name__}: {error}")
    assert not complaints, f"the plugin {name} breaks its contract:\n" + "\n".join(complaints)


def _check(
    component: Component,
    given: Mapping[str, Any],
    catalog: Catalog,
    data_dirs: Mapping[str, Path],
) -> Iterator[str]:
    yield from _description(component)
    if isinstance(component, ArchitectureFamily):
        yield from _family(component)
        return
    if isinstance(component, DatasetFamily):
        yield from _dataset_family(component)
        return
    defaults = component.defaults if isinstance(component, Architecture) else {}
    try:
        options = component.options.model_validate({**defaults, **given})
    except ValidationError as error:
        yield f"its options are not valid as they are: {error.errors()[0]['msg']}"
        return
    yield from _options(component.options, options)
    for field, _ in functions(component):
        getattr(component, field)  # UserError where a string does not name a function
    match component:
        case Architecture():
            yield from _architecture(component, options)
        case Initializer():
            yield from check_initializer(component, options)
        case FreezingRule():
            yield from check_rule(component, options)
        case Dataset():
            yield from _dataset(component, options, data_dirs.get(component.name))
        case Task():
            yield from check_task(component, options, catalog)
        case Metric():
            yield from _metric(component, options)


def _description(component: Component) -> Iterator[str]:
    if not component.summary.strip() or not component.summary.isprintable():
        yield "it needs a summary of one line"
    if len(component.summary) > 120:
        yield f"its summary has {len(component.summary)} characters, 120 at most"


def _options(model: type[Options], options: Options) -> Iterator[str]:
    if model.model_validate_json(options.model_dump_json()) != options:
        yield "its options do not survive being written as JSON"
    model.model_json_schema()


def _dataset_family(family: DatasetFamily) -> Iterator[str]:
    if family.member("no such dataset") is not None:
        yield "member() returns a member for an unknown name"
    for name in family.names():
        member = family.member(name)
        if member is None or member.name != name:
            yield f"member('{name}') has another name"


def _family(family: ArchitectureFamily) -> Iterator[str]:
    names = list(family.names())
    if len(set(names)) < len(names):
        yield "names() has a name twice"
    if family.member("no such model") is not None:
        yield "member() returns a member for an unknown name"
    for name in names:
        member = family.member(name)
        if member is None or member.name != name:
            yield f"member('{name}') is not called so"
        elif len(names) <= MANY:
            for complaint in _architecture(member, member.options(**member.defaults)):
                yield f"{name}: {complaint}"


def _architecture(architecture: Architecture, options: Options) -> Iterator[str]:
    known = {*type(options).model_fields, *architecture.defaults}
    for name in re.findall(r"\{(\w+)\}", architecture.title):
        if name not in known:
            yield f"its title names '{name}', which is no option{suggest(name, known)}"

    def build(seed: int) -> nn.Module:
        context = BuildContext(
            name=architecture.name, in_chans=3, img_size=(32, 32), num_classes=10, seed=seed
        )
        with global_seed(seed, "weights"):
            return architecture.build(context, options)

    with alone() as complaints:
        built: object = build(0)
    yield from complaints
    if not isinstance(built, nn.Module):
        yield f"build returns a {type(built).__name__}, not a torch.nn.Module"
        return
    network = built
    if not _on_cpu(network):
        yield "it is not built on the CPU"
    if state_sha256(build(0)) != state_sha256(network):
        yield "the same seed builds another network"
    if state_sha256(network) and state_sha256(build(1)) == state_sha256(network):
        yield "another seed builds the same network"
    network.eval()
    images = torch.rand(2, 3, 32, 32, generator=generator(0, "testing"))
    with alone() as complaints, torch.no_grad():
        output, again = network(images), network(images)
    yield from complaints
    if not isinstance(output, torch.Tensor) or len(output) != 2:
        yield "two images do not give a tensor of two outputs"
    elif output.ndim == 2 and output.shape[1] != 10:
        yield f"asked for 10 classes it gives {output.shape[1]}"
    elif not torch.equal(output, again):
        yield "in eval mode the same images give different outputs"
    elif not output.isfinite().all():
        yield "its output on random images is not finite"


def _dataset(dataset: Dataset, options: Options, folder: Path | None) -> Iterator[str]:
    if folder is None and dataset.needs_data_dir:
        try:
            dataset.open(DataContext(name=dataset.name), options)
        except UserError:
            return
        yield "it needs a data_dir and opens without one"
        return
    context = DataContext(name=dataset.name, data_dir=folder)
    data = dataset.open(context, options)
    with alone() as complaints:  # not the first time: what a library does on import is its own
        again = dataset.open(context, options)
    yield from complaints
    if data.revision != again.revision:
        yield "its revision changes from one opening to the next"
    if not len(data.mean) == len(data.std) == data.in_chans:
        yield f"mean and std are not of {data.in_chans} channels"
    for split in (data.train, data.test):
        if split is None:
            continue
        labels = split.labels
        if labels is not None and not 0 <= int(labels.min()) <= int(labels.max()) < len(
            data.class_names
        ):
            yield "a label has no class name"
        if isinstance(split, MemoryImages) and tuple(split.pixels.shape[1:]) != (
            data.in_chans,
            *data.img_size,
        ):
            yield "its pixels are not of the size that in_chans and img_size say"


def _metric(metric: Metric, options: Options) -> Iterator[str]:
    outcome = tiny_outcome(metric.reads)
    if outcome is None:
        return
    before = state_sha256(outcome.network)

    def measure() -> list[MetricValue]:
        context = MetricContext(
            seed=0, device=torch.device("cpu"), accelerator=Accelerator(cpu=True)
        )
        return list(metric.measure(outcome, context, options))

    try:
        measure()
    except UserError:  # it wants another network or an option, and says so
        return
    with alone() as complaints:
        values = measure()
    yield from complaints
    if not all(isinstance(value, MetricValue) for value in values):
        yield "measure returns something other than MetricValues"
        return
    again = measure()
    for value in again:
        finite_value(value, lambda text: None)
    for value in values:
        said: list[str] = []
        finite_value(value, said.append)
        for text in said:
            yield f"{text}; None stands for a measurement that failed"
    if again != values:
        yield "the same outcome and seed give other values"
    names = [value.name for value in values]
    if len(set(names)) < len(names):
        yield "two of its values have one name"
    if state_sha256(outcome.network) != before:
        yield "it changes the network"


def tiny_outcome(kind: type[Outcome]) -> Outcome | None:
    """A small outcome of type ``kind``, or None where it is a type of the plugin's own."""
    pixels = torch.randint(256, (8, 3, 32, 32), generator=generator(0, "t"), dtype=torch.uint8)
    images, labels = pixels / 255, torch.arange(8) % 10
    with global_seed(0, "testing"):
        spatial = nn.Conv2d(3, 8, 3, padding=1)
        back, head = nn.Conv2d(8, 3, 3, padding=1), nn.Linear(8, 10)
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    classifier = nn.Sequential(spatial, nn.ReLU(), pool, head).eval()
    decoder = nn.Sequential(spatial, nn.ReLU(), back).eval()
    with torch.no_grad():
        if issubclass(ClassificationOutcome, kind):
            return ClassificationOutcome(
                network=classifier,
                classifier=classifier,
                test=MemoryImages(pixels, labels),
                logits=classifier(images),
                labels=labels,
            )
        if kind is ImagesOutcome:
            names = [f"{index}.png" for index in range(8)]
            outputs = decoder(images).clamp(0, 1)
            return ImagesOutcome(network=decoder, inputs=images, outputs=outputs, names=names)
    return None


def _on_cpu(network: nn.Module) -> bool:
    return all(p.device.type == "cpu" for p in (*network.parameters(), *network.buffers()))


def _heavy_imports(name: str) -> Iterator[str]:
    """Load the plugin in a fresh process: describing components must not load torch."""
    script = (
        "import sys\nfrom rbench.plugin.catalog import Catalog\nc = Catalog.from_environment()\n"
        "[list(c.names(k)) for k in ('architecture', 'initializer')]\n"
        "print(*[m for m in ('torch', 'timm', 'pandas') if m in sys.modules])"
    )
    environment = {**os.environ, "RBENCH_PLUGINS": name}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    if heavy := done.stdout.split():
        yield (
            f"loading it imports {', '.join(heavy)}: move the functions that need them to another "
            "module and name them by strings, such as build='my_package.networks:build'"
        )
