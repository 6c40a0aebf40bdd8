"""Numbers that are not finite become None, each with a note: records are strict JSON."""

from __future__ import annotations

import math
from collections.abc import Callable

from pydantic import JsonValue

from rbench.records.record import MetricValue

Note = Callable[[str], None]


def finite_value(value: MetricValue, note: Note) -> MetricValue:
    """``value`` without NaN and infinities in its value, uncertainty and details."""
    if value.value is not None and not math.isfinite(value.value):
        note(f"{value.name} is {value.value}")
        value.value = None
    if value.uncertainty is not None and not math.isfinite(value.uncertainty):
        note(f"the uncertainty of {value.name} is {value.uncertainty}")
        value.uncertainty = None
    value.details = finite_json(value.details, f"the details of {value.name}", note)
    return value


def finite_json(content: JsonValue, what: str, note: Note) -> JsonValue:
    """``content`` with None for every number that is not finite; the note counts them."""
    replaced = 0

    def clean(item: JsonValue) -> JsonValue:
        nonlocal replaced
        if isinstance(item, float) and not math.isfinite(item):
            replaced += 1
            return None
        if isinstance(item, dict):
            return {key: clean(part) for key, part in item.items()}
        if isinstance(item, list | tuple):
            return [clean(part) for part in item]
        return item

    result = clean(content)
    if replaced:
        are = "numbers that are" if replaced > 1 else "number that is"
        note(f"{what} have {replaced} {are} not finite")
    return result
