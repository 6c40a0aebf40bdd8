"""What is wrong with the flags of a command line, in one line with the right spelling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rbench.errors import printable, suggest

RENAMED = {
    ("sweep", "--limit"): "--max-runs",
    ("verify", "--limit"): "--max-records",
    ("sweep", "--patience"): "--lease-seconds",
}
"""Flags that had another name, by command."""


def usage_error(error: Exception) -> str | None:
    """One line for an error of the command line's parser; None for any other exception."""
    if getattr(error, "format_message", None) is None:
        return None
    context = getattr(error, "ctx", None)
    flag = getattr(error, "option_name", None)
    if flag is not None and type(error).__name__ == "NoSuchOption":
        command = context.command_path if context is not None else "rbench"
        return f"no such option: {printable(flag)}{_right_spelling(flag, context)} ({command} -h)"
    text = " ".join(error.format_message().split())  # type: ignore[attr-defined]
    return f"{text[0].lower()}{text[1:]}" if text else ""


def _right_spelling(flag: str, context: Any) -> str:
    """What to type in place of an unknown flag."""
    name = flag.lstrip("-").replace("-", "_")
    renamed = RENAMED.get((context.command.name, flag)) if context is not None else None
    if renamed:
        return f"; it is called {renamed} now"
    if context is not None and context.command.name == "run":
        for where in _options_called(name):
            return f"; {where}"
    known = [] if context is None else [o for p in context.command.params for o in p.opts]
    near = suggest(flag, [word for word in known if word.startswith("--")])
    return near if near.startswith("; did") else ""


def _options_called(name: str) -> Iterator[str]:
    """Where an option of that name is: options of components have no flags."""
    from rbench.plugin.catalog import Catalog
    from rbench.plugin.components import FAMILIES, KINDS

    flags = {
        "architecture": "--model-kwargs",
        "initializer": "--init-kwargs",
        "freezing rule": "--freeze-kwargs",
    }
    catalog = Catalog.from_environment()
    for kind in KINDS:
        for component in catalog.components(kind):
            if isinstance(component, FAMILIES) or (name not in component.options.model_fields):
                continue
            prefix = f"{component.name}." if kind in ("metric", "freezing rule") else ""
            flag = flags.get(kind, f"--{kind}-kwargs")
            yield f"it is an option of the {kind} {component.name}: {flag} {prefix}{name}=..."
