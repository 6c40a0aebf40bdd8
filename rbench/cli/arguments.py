"""How words on the command line become values, and fields of a model become flags."""

from __future__ import annotations

import ast
import inspect
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel

from rbench.errors import UserError, printable
from rbench.spec.suite_spec import assign

VARIADIC = frozenset(
    {
        *("--model-kwargs", "--init-kwargs", "--task-kwargs", "--dataset-kwargs"),
        *("--metric-kwargs", "--metrics", "--freeze", "--img-size", "--opt-betas"),
        "--decay-milestones",
        *("--content", "--style"),
    }
)
"""Flags that take several words, as timm's do: ``--model-kwargs depth=20 width=16``."""


def spread(words: list[str]) -> list[str]:
    """Repeat a variadic flag before each of its words, which is what typer understands."""
    out: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word not in VARIADIC:
            out.append(word)
            continue
        values = []
        while position < len(words) and not words[position].startswith("-"):
            values.append(words[position])
            position += 1
        out += [part for value in values for part in (word, value)] or [word]
    return out


def shareable(words: list[str]) -> str:
    """The command line as a record keeps it: of a path only the last part, since the folders
    above it say who and where the user is, and nothing about the run.
    """
    parts = [word.rpartition("=") for word in words]
    named = [
        f"{key}{equals}{Path(value).name if value.startswith(('/', '~', '..')) else value}"
        for key, equals, value in parts
    ]
    return shlex.join(["rbench", *named])


def table(flag: str, words: list[str] | None) -> dict[str, Any]:
    """``["depth=1", "init.std=0.1"]`` as nested tables; values are Python or JSON literals."""
    fields: dict[str, Any] = {}
    for key, value in assignments(flag, words).items():
        assign(fields, key, value)
    return fields


def assignments(flag: str, words: list[str] | None) -> dict[str, Any]:
    """``["training.epochs=5"]`` as values by their dotted names."""
    found: dict[str, Any] = {}
    for word in words or []:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UserError(f"{flag} '{printable(word)}': expected name=value")
        found[key] = literal(value)
    return found


def literal(text: str) -> Any:
    """A number, list (``16,32`` too), table, truth value, None where ``text`` is one, or ``text``.

    Lists and tables may be written as Python or as JSON has them.
    """
    named = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in named:
        return named[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return _json(text)
    # JSON has no tuples: width=16,32 is a list.
    return list(value) if isinstance(value, tuple) else value


def _json(text: str) -> Any:
    if not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def with_model_flags(
    model: type[BaseModel], aliases: dict[str, list[str]]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one optional flag for every field of ``model``.

    The command gets those that the user named as the keyword argument ``flags``.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function, eval_str=True).parameters
        named = {name: p for name, p in own.items() if name != "flags"}
        extra = {
            name: inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=_flag(name, info, aliases.get(name, [])),
            )
            for name, info in model.model_fields.items()
        }

        def command(**given: Any) -> None:
            flags = {name: given.pop(name) for name in extra}
            function(flags={k: v for k, v in flags.items() if v not in (None, [])}, **given)

        command.__doc__ = function.__doc__
        parameters = [
            *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in named.values()),
            *extra.values(),
        ]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


def _flag(name: str, info: Any, aliases: list[str]) -> Any:
    kind = _plain(info.annotation)
    words = name.replace("_", "-")
    names = [*aliases, f"--{words}/--no-{words}" if kind is bool else f"--{words}"]
    option = typer.Option(*names, help=info.description, rich_help_panel="Recipe")
    return Annotated[kind | None, option]


def _plain(annotation: Any) -> Any:
    """The type that typer should read: Literal and None taken off, tuples as lists."""
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (a for a in get_args(annotation) if a is not type(None))
    if get_origin(annotation) is Literal:
        return str
    if get_origin(annotation) is tuple:
        return list[get_args(annotation)[0]]  # type: ignore[misc]
    return annotation
