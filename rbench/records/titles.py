"""A run in words: its network and initializer with their options, and what of it learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rbench.errors import printable

if TYPE_CHECKING:
    from rbench.records.record import Record

LONGEST = 200


def title(record: Record) -> str:
    """``resnet18 width=32 · normal std=0.1 · learns: norms, classifier, 9,610 of 11,173,962``."""
    spec, resolved = record.spec, record.resolved
    parts = [label(spec.get("model"), spec.get("model_kwargs"))]
    for name in ("init", "init_norm"):
        if spec.get(name) or resolved.get(name):
            parts.append(label(spec.get(name) or resolved[name], spec.get(f"{name}_kwargs")))
    return " · ".join([*parts, f"learns: {learned(record)}"])


def learned(record: Record) -> str:
    """``norms, classifier, 4,778 of 272,474``: what learned, and how many parameters."""
    if not record.trained:
        return "nothing, untrained"
    freeze = record.freeze
    if freeze is None:
        policies = record.spec.get("freeze")
        named = ", ".join(map(str, policies if isinstance(policies, list) else []))
        return "everything" if named in ("", "none") else f"all but {named}"
    count, total = freeze.learnable.count, freeze.learnable.count + freeze.frozen.count
    if not freeze.frozen.count:
        return f"everything, {count:,} parameters"
    # Older records have no words, or "everything" where frozen filters are not kept.
    words = "" if freeze.learns == "everything" else freeze.learns
    words = words or f"all but {', '.join(freeze.policy)}"
    return f"{words}, {count:,} of {total:,}"


def label(component: Any, given: Any = None) -> str:
    """``name option=value ...`` of a component's identity and the options that were given."""
    name = component.get("name", "") if isinstance(component, dict) else component or ""
    if not given:
        return printable(name, LONGEST)
    options = given if isinstance(given, dict) else {}
    parts = [str(name)] + [f"{key}={short(options[key])}" for key in sorted(options, key=str)]
    return printable(" ".join(parts), LONGEST)


def short(value: Any) -> str:
    """An option's value in few characters."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return "/".join(short(part) for part in value)
    if isinstance(value, dict):
        return printable(label(value, value.get("options")), 60)
    return printable(value, 60)


__all__ = ["label", "learned", "short", "title"]
