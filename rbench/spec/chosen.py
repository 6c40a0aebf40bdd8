"""A component that a run names, with its validated options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from rbench.plugin.components import Architecture, Dataset, Initializer, Metric, Task
from rbench.plugin.contents import path_content
from rbench.plugin.options import Options
from rbench.plugin.source import unreleased_source
from rbench.spec.parse import parse

C = TypeVar("C", Architecture, Initializer, Dataset, Task, Metric)


@dataclass(frozen=True)
class Chosen(Generic[C]):
    """A component and its validated options."""

    component: C
    options: Options

    def identity(self) -> dict[str, Any]:
        """The part of it that can change a number.

        The source of code that is not of a released package is part of it, since an edit of it
        leaves ``revision`` and version as they are.
        """
        source = unreleased_source(self.component)
        return {
            "name": self.component.name,
            "revision": self.component.revision,
            "options": options_identity(self.options, self.component.name),
            **({} if source is None else {"source": source}),
        }


def options_identity(options: Options, where: str) -> dict[str, Any]:
    """The options as JSON, with the contents of a file or folder in place of its path.

    UserError where it cannot be read.
    """
    found = options.model_dump(mode="json")
    for name in type(options).model_fields:
        value = getattr(options, name)
        if isinstance(value, Path):
            found[name] = path_content(value, f"{where}: {name}={value}")
    return found


def choose(component: C, kwargs: Mapping[str, Any], flag: str) -> Chosen[C]:
    """``component`` with its options validated; UserError that names ``flag``."""
    options = parse(component.options, kwargs, f"{flag} of {component.name}")
    return Chosen(component, options)
