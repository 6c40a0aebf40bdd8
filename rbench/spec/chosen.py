"""A component that a run names, with its validated options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rbench.plugin.components import Architecture, Dataset, Initializer, Metric, Task
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
            "options": self.options.model_dump(mode="json"),
            **({} if source is None else {"source": source}),
        }


def choose(component: C, kwargs: Mapping[str, Any], flag: str) -> Chosen[C]:
    """``component`` with its options validated; UserError that names ``flag``."""
    options = parse(component.options, kwargs, f"{flag} of {component.name}")
    return Chosen(component, options)
