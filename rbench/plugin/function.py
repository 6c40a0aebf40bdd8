"""A component's function: a callable, or its name as entry points write it.

``build="my_package.networks:build"`` is imported when the function is first used, so that the
file that implements a component imports torch at its top, and the one that describes it does not.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, cast

from rbench.errors import UserError, suggest

F = TypeVar("F")
NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
NONE: Any = object()


class Function(Generic[F]):
    """A field of a component that is read as the function and may be given as its name."""

    def __init__(self, default: F = NONE) -> None:
        self.default, self.field = default, ""

    def __set_name__(self, owner: type[object], name: str) -> None:
        """Called by Python with the field's name."""
        self.field = name

    def __get__(self, component: Any, owner: type[object]) -> F:
        """The function, imported if it is not yet. UserError where its name does not resolve."""
        if component is None:
            if self.default is NONE:
                raise AttributeError(self.field)  # so that a dataclass sees no default
            return self.default
        given = component.__dict__[self.field]
        if not isinstance(given, str):
            return cast(F, given)
        return cast(F, resolve(given, f"{component.kind} {component.name}: {self.field}"))

    def __set__(self, component: object, value: F | str) -> None:
        component.__dict__[self.field] = value


def functions(component: object) -> Iterator[tuple[str, Any]]:
    """The fields of a component that are functions, each a callable or a name, not imported."""
    for field, descriptor in vars(type(component)).items():
        if isinstance(descriptor, Function) and component.__dict__[field] is not None:
            yield field, component.__dict__[field]


def check_form(name: str, where: str) -> None:
    """UserError unless ``name`` is of the form ``package.module:function``."""
    if not NAME.fullmatch(name):
        raise UserError(
            f"{where} is {name!r}, neither a function nor of the form 'package.module:function'"
        )


def resolve(name: str, where: str) -> Callable[..., Any]:
    """The function of that name; UserError in one line that says ``where`` it was wanted."""
    check_form(name, where)
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{module_name}.".startswith(f"{missing}."):
            why = f"there is no module {missing}{suggest(missing, _siblings(missing), 4)}"
        else:
            why = f"importing it raises {type(error).__name__}: {error}"
        raise UserError(f"{where} is {name!r}, but {why}") from error
    function = getattr(module, attribute, None)
    if not callable(function):
        known = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        why = "there is no such name" if function is None else "that cannot be called"
        raise UserError(f"{where} is {name!r}, but {why}{suggest(attribute, known)}")
    return cast(Callable[..., Any], function)


def _siblings(module_name: str) -> list[str]:
    package = module_name.rpartition(".")[0]
    if not package:
        return [name for name in sys.modules if "." not in name]
    paths = getattr(sys.modules.get(package), "__path__", ())
    return [f"{package}.{found.name}" for found in pkgutil.iter_modules(paths)]
