"""The source code of components: which functions make one up, and a digest of their files."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from rbench.plugin.components import Component

FUNCTIONS = (
    "build",
    "draw",
    "open",
    "run",
    "measure",
    "select",
    "fit",
    "names",
    "member",
    "apply",
    "learns",
)
"""Fields of components that hold their functions."""


def functions_of(component: Component) -> Iterator[Callable[..., Any]]:
    """The functions of a component that can be called, partial ones and lambdas unwrapped."""
    for name in FUNCTIONS:
        function: Any = getattr(component, name, None)
        while hasattr(function, "func"):
            function = function.func
        if inspect.isfunction(function):
            yield function
