"""Public names of types that have moved to the plugin whose task returns them.

``rbench.StylizationOutcome`` goes on working; plugins import such a type from where it is.
"""

from __future__ import annotations

from typing import Any

from rbench.plugin.catalog import Catalog
from rbench.plugin.components import Task


def __getattr__(name: str) -> Any:
    """The type of that name among those that the installed tasks return."""
    if not name.startswith("__"):
        for task in Catalog.from_environment().components("task"):
            assert isinstance(task, Task)
            if task.produces.__name__ == name:
                return task.produces
    raise AttributeError(f"no installed task returns a type named {name}")
