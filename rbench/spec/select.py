"""``--only model=resnet50,seed<2``: which cells of a suite are meant."""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from rbench.errors import UnknownName, UserError, printable
from rbench.spec.resolve import Resolved
from rbench.spec.run_spec import RunSpec

_CONDITION = re.compile(r"([\w.]+)(<=|>=|!=|=|<|>)(.*)", re.DOTALL)
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def select(cells: Sequence[Resolved], conditions: Sequence[str]) -> list[Resolved]:
    """The cells that meet all conditions. UserError where none does, or one cannot be read."""
    tests = [_parse(part) for text in conditions for part in text.split(",") if part]
    chosen = [cell for cell in cells if all(_holds(cell, *test) for test in tests)]
    if cells and not chosen:
        raise UserError(f"--only {printable(','.join(conditions))}: no cell of the suite is that")
    return chosen


def _parse(text: str) -> tuple[str, str, str]:
    found = _CONDITION.fullmatch(text.strip())
    if found is None:
        raise UserError(f"--only '{printable(text)}': expected name=value, or != < <= > >=")
    name, sign, value = found.groups()
    if name.split(".")[0] not in RunSpec.model_fields:
        raise UnknownName("field in --only", name, RunSpec.model_fields)
    return name, sign, value


def _holds(cell: Resolved, name: str, sign: str, wanted: str) -> bool:
    actual = _value(cell, name)
    if sign in _ORDER:
        try:
            return actual is not None and _ORDER[sign](float(actual), float(wanted))
        except (TypeError, ValueError):
            raise UserError(
                f"--only {name}{sign}{printable(wanted)}: {name} is no number"
            ) from None
    values = [str(part) for part in actual] if isinstance(actual, tuple | list) else [_text(actual)]
    same = any(fnmatch.fnmatchcase(value, wanted) for value in [*values, "+".join(values)])
    return same == (sign == "=")


def _value(cell: Resolved, name: str) -> Any:
    implied = {"dataset": cell.dataset.component.name, "recipe": cell.recipe, "device": cell.device}
    first, *rest = name.split(".")
    value = implied[first] if first in implied else getattr(cell.spec, first)
    for part in rest:
        if first == "training" and cell.training is not None:
            value = getattr(cell.training, part, None)
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str:
    return (
        {True: "true", False: "false", None: "none"}.get(value, str(value))
        if (value is None or isinstance(value, bool))
        else str(value)
    )
