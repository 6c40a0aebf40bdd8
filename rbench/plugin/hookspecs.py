"""The hooks of rbench: everything that a plugin author has to read.

A plugin is a module, named by an entry point in the group ``rbench``, that implements any of
these functions under ``@rbench.hookimpl``. Hooks take no arguments and return components; two
components of one kind and name are an error that names both plugins. Import nothing heavy at
module level: hooks run for ``rbench --help``.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from rbench.plugin.components import (
    Architecture,
    ArchitectureFamily,
    Dataset,
    DatasetFamily,
    FreezingRule,
    Initializer,
    Metric,
    Task,
)

hookspec = pluggy.HookspecMarker("rbench")
hookimpl = pluggy.HookimplMarker("rbench")


@hookspec
def rbench_register_architectures() -> Iterable[Architecture | ArchitectureFamily]:  # type: ignore[empty-body]
    """Networks that ``--model`` can name."""


@hookspec
def rbench_register_initializers() -> Iterable[Initializer]:  # type: ignore[empty-body]
    """Distributions of weights that ``--init`` can name."""


@hookspec
def rbench_register_freezing_rules() -> Iterable[FreezingRule]:  # type: ignore[empty-body]
    """Rules of what stays as drawn that ``--freeze`` can name."""


@hookspec
def rbench_register_datasets() -> Iterable[Dataset | DatasetFamily]:  # type: ignore[empty-body]
    """Datasets that ``--dataset`` can name."""


@hookspec
def rbench_register_tasks() -> Iterable[Task]:  # type: ignore[empty-body]
    """Tasks that ``--task`` can name."""


@hookspec
def rbench_register_metrics() -> Iterable[Metric]:  # type: ignore[empty-body]
    """Measurements that ``--metrics`` can name."""
