"""Conditions on columns: one grammar for ``--only``, ``ls``, suites, papers and figures.

On the command line a condition is ``name=value``, ``name!=value``, ``name<value``, ``<=``, ``>``
or ``>=``; several are joined by commas and all must hold. In a TOML file the same conditions are
a table, ``{name = value}``, whose value is

- a number, a truth value or a text that the column must equal; in a text ``*``, ``?`` and
  ``[abc]`` are wildcards;
- ``"none"``: the column is absent or empty;
- a text that begins with ``<``, ``<=``, ``>``, ``>=`` or ``!=``: a comparison, such as ``">=8"``;
- a list: one of the alternatives (on the command line joined by ``|``); the empty list is
  ``"none"``. Of several ``!=`` all must hold: ``seed!=1|2`` is every seed but 1 and 2.

Columns are those of :mod:`rbench.spec.columns`. ``model.width`` may also be written as in a run's
file, ``model_kwargs.width``. A list, such as a freeze policy of several parts, meets a condition
as a whole (``conv1+layer1``) or by one of its parts. A comparison that meets no number is false.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from rbench.errors import UserError, printable
from rbench.spec.columns import canonical_name

Scalar = str | int | float | bool
Condition = Scalar | list[Scalar]
Where = dict[str, Condition]
Test = Callable[[Any], bool]

_TEXT = re.compile(r"([\w.@/+-]+?)(<=|>=|!=|=|<|>)(.*)", re.DOTALL)
_ORDER: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def parse_conditions(texts: Sequence[str], flag: str = "--only") -> Where:
    """``["model=resnet*,seed<2"]`` as a table of conditions; UserError where one is not."""
    where: Where = {}
    for text in (part.strip() for given in texts for part in given.split(",")):
        if not text:
            continue
        found = _TEXT.fullmatch(text)
        if found is None:
            raise UserError(f"{flag} '{printable(text)}': expected name=value, or != < <= > >=")
        name, sign, value = found.groups()
        if sign in _ORDER and _number(value) is None:
            raise UserError(f"{flag} '{printable(text)}': '{printable(value)}' is not a number")
        wanted: list[Scalar] = [f"{'' if sign == '=' else sign}{v}" for v in value.split("|")]
        column = canonical_name(name)
        if column in where:
            raise UserError(f"{flag} names {name} twice: join alternatives by |, as in {name}=a|b")
        where[column] = wanted[0] if len(wanted) == 1 else wanted
    return where


def holds(where: Mapping[str, Condition], get: Callable[[str], Any]) -> bool:
    """Whether every condition holds; ``get`` returns a column's value, None where there is none."""
    return all(matches(get(canonical_name(column)), wanted) for column, wanted in where.items())


def matches(value: Any, wanted: Condition) -> bool:
    """Whether a column's value is what a condition wants."""
    return predicate(wanted)(value)


def predicate(wanted: Condition) -> Test:
    """The test of a condition."""
    parts = tuple(wanted) if isinstance(wanted, list) else (wanted,)
    # The types keep 1 and True apart in the cache.
    return _predicate(tuple((type(part), part) for part in parts))


def describe(wanted: Condition) -> str:
    """A condition in words, for a sentence about what does not hold."""
    parts = [str(part) for part in (wanted if isinstance(wanted, list) else [wanted])]
    excluded = [part for part in parts if _is_exclusion(part)]
    allowed = " or ".join(part for part in parts if not _is_exclusion(part))
    return " and ".join([*([allowed] if allowed else []), *excluded])


def is_comparison(wanted: Condition) -> bool:
    """Whether a condition asks for a number's order."""
    parts = wanted if isinstance(wanted, list) else [wanted]
    return any(isinstance(part, str) and part.startswith(tuple(_ORDER)) for part in parts)


@lru_cache(maxsize=4096)
def _predicate(parts: tuple[tuple[type, Scalar], ...]) -> Test:
    tests = [_one(part) for _, part in parts if not _is_exclusion(part)]
    excluded = [_one(part) for _, part in parts if _is_exclusion(part)]
    allowed = tests or ([] if excluded else [_one("none")])

    def test(value: Any) -> bool:
        if not all(one(value) for one in excluded):
            return False
        return not allowed or any(one(value) for one in allowed)

    return test


def _is_exclusion(wanted: Scalar) -> bool:
    return isinstance(wanted, str) and wanted.startswith("!=")


def _one(wanted: Scalar) -> Test:
    if isinstance(wanted, str):
        for sign, compare in _ORDER.items():
            if (
                wanted.startswith(sign)
                and (bound := _number(wanted.removeprefix(sign))) is not None
            ):
                return _ordered(compare, bound)
        if wanted.startswith("!="):
            other = _one(wanted.removeprefix("!="))
            return lambda value: not other(value)
    return _equal(wanted)


def _ordered(compare: Callable[[float, float], bool], bound: float) -> Test:
    def test(value: Any) -> bool:
        number = None if isinstance(value, bool) else _number(value)
        return number is not None and compare(number, bound)

    return test


def _equal(wanted: Scalar) -> Test:
    text = str(wanted).lower() if isinstance(wanted, bool) else str(wanted)
    number = None if isinstance(wanted, bool) else _number(wanted)
    wild = isinstance(wanted, str) and re.search(r"[*?\[]", text)
    pattern = re.compile(fnmatch.translate(text)) if wild else None

    def test(value: Any) -> bool:
        if value is None or value == "":
            return text == "none"
        if isinstance(value, bool):
            return text in (str(value).lower(), str(value))
        if isinstance(value, int | float):
            return value == number if number is not None else str(value) == text
        if isinstance(value, list | tuple):
            return any(map(test, value)) or any(map(test, _joined(value)))
        return pattern.match(str(value)) is not None if pattern else str(value) == text

    return test


def _joined(parts: Sequence[Any]) -> list[str]:
    return [sign.join(map(str, parts)) for sign in "+/"]


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
