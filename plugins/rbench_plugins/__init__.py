"""The built-in plugins, registered through the same hooks as everybody else's.

Each component is a file of its own that defines ``COMPONENT`` (or ``COMPONENTS``); each kind's
package lists its files.
"""

from __future__ import annotations

from collections.abc import Iterable

from rbench import (
    Architecture,
    ArchitectureFamily,
    Dataset,
    DatasetFamily,
    FreezingRule,
    Initializer,
    Metric,
    Task,
    hookimpl,
)
from rbench_plugins import architectures, datasets, freezing, initializers, metrics, tasks


@hookimpl
def rbench_register_architectures() -> Iterable[Architecture | ArchitectureFamily]:
    """See rbench.plugin.hookspecs."""
    return architectures.COMPONENTS


@hookimpl
def rbench_register_initializers() -> Iterable[Initializer]:
    """See rbench.plugin.hookspecs."""
    return initializers.COMPONENTS


@hookimpl
def rbench_register_freezing_rules() -> Iterable[FreezingRule]:
    """See rbench.plugin.hookspecs."""
    return freezing.COMPONENTS


@hookimpl
def rbench_register_datasets() -> Iterable[Dataset | DatasetFamily]:
    """See rbench.plugin.hookspecs."""
    return datasets.COMPONENTS


@hookimpl
def rbench_register_tasks() -> Iterable[Task]:
    """See rbench.plugin.hookspecs."""
    return tasks.COMPONENTS


@hookimpl
def rbench_register_metrics() -> Iterable[Metric]:
    """See rbench.plugin.hookspecs."""
    return metrics.COMPONENTS
