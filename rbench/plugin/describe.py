"""A component as plain data: what ``rbench show`` prints."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any


def describe(component: Any, plugin: str) -> dict[str, Any]:
    """A component as JSON: what ``rbench show`` prints and the reference is made of."""
    schema = component.options.model_json_schema()
    options = []
    for name, info in component.options.model_fields.items():
        default = getattr(component, "defaults", {}).get(name, info.get_default())
        options.append(
            {
                "name": name,
                "default": "required" if info.is_required() else plain(default),
                "type": type_name(info.annotation),
                "description": info.description or "",
            }
        )
    return {
        "kind": component.kind,
        "name": component.name,
        "summary": component.summary,
        "plugin": plugin,
        "revision": component.revision,
        "options": options,
        "schema": schema,
    }


def type_name(annotation: Any) -> str:
    """An annotation in few words, without module names."""
    text = str(annotation).removeprefix("<class '").removesuffix("'>")
    known = r"typing|rbench(?:\.[a-z_]+)*|pydantic\.\w+|collections\.abc|pathlib(?:\._local)?"
    return re.sub(rf"\b(?:{known})\.", "", text)


def plain(value: Any) -> Any:
    """``value`` as JSON can hold it."""
    return str(value) if isinstance(value, PurePath) else value
