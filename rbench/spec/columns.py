"""The columns of a run: what conditions, comparisons, figures and tables name.

``model``, ``init``, ``task`` and ``dataset`` hold the component's name and ``freeze`` the policy;
``model.<option>``, ``init.<option>``, ``task.<option>``, ``dataset.<option>`` and
``training.<field>`` hold the options after defaults. They are read from a run's identity (what
its digest was taken of), so that a run that is planned and a record have the same columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rbench.errors import printable

NAMED = ("model", "init", "task", "dataset", "freeze")
"""Columns that every run has; their values are texts."""
LONGEST = 200


def columns(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Every column of a run; lists become text joined by slashes."""
    found: dict[str, Any] = {name: named(identity, name) for name in NAMED}
    for key, value in options(identity).items():
        found.setdefault(key, value)
    return found


def named(identity: Mapping[str, Any], column: str) -> str:
    """The value of one of the columns :data:`NAMED`; empty where the run has none."""
    given = identity.get(column)
    if column == "freeze":
        return policy(given)
    name = given.get("name", "") if isinstance(given, Mapping) else given or ""
    return printable(name, LONGEST)


def policy(freeze: Any) -> str:
    """A freeze policy as one word; several are joined by a plus."""
    if isinstance(freeze, list | tuple):
        return printable("+".join(map(str, freeze)), LONGEST) or "none"
    return printable(freeze or "none", LONGEST)


def options(identity: Mapping[str, Any]) -> dict[str, Any]:
    """``model.width``, ``training.lr`` and so on; lists become text joined by slashes."""
    flat: dict[str, Any] = {}
    for key, value in flatten({k: v for k, v in identity.items() if k != "metrics"}).items():
        name = key.replace(".options.", ".")
        if not name.endswith((".name", ".revision", ".options")):
            flat[name] = "/".join(map(str, value)) if isinstance(value, list) else value
    return flat


def flatten(content: Any, prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, keys joined by dots."""
    if not isinstance(content, dict):
        return {prefix: content}
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat.update(flatten(value, f"{prefix}.{key}" if prefix else str(key)))
    return flat


def canonical_name(column: str) -> str:
    """``model_kwargs.width`` and ``model.width`` are one column."""
    return column.replace("_kwargs.", ".", 1)
