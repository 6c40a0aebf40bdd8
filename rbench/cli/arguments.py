"""How words on the command line become values, and fields of a model become flags."""

from __future__ import annotations

import ast
import inspect
import json
import shlex
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rbench.cli.completion import complete
from rbench.errors import UserError, printable
from rbench.plugin.options import NO_FLAG, Flag
from rbench.plugin.recipe import Training
from rbench.spec.run_spec import RunSpec
from rbench.spec.suite_spec import assign
from rbench.sweep.executors.base import Settings
from rbench.sweep.suite_settings import SuiteSettings

Model = type[BaseModel]


def expand_multi_value_flags(words: list[str]) -> list[str]:
    """Repeat a flag of several values before each of them, which is what typer understands.

    ``--model-kwargs depth=20 width=16``, as timm has it, is ``--model-kwargs depth=20
    --model-kwargs width=16`` then.
    """
    out: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word not in _multi_value_flags():
            out.append(word)
            continue
        values = []
        while position < len(words) and not words[position].startswith("-"):
            values.append(words[position])
            position += 1
        out += [part for value in values for part in (word, value)] or [word]
    return out


@cache
def _multi_value_flags() -> frozenset[str]:
    """The flags of all fields that hold several values or a table."""
    return frozenset(
        _long(name)
        for model in (RunSpec, Training, SuiteSettings, Settings)
        for name, info in model.model_fields.items()
        if get_origin(_without_none(info.annotation)) in (tuple, dict, list)
    )


def shareable(words: list[str]) -> str:
    """The command line as a record keeps it: only the last part of each path, since the folders
    above it tell who and where the user is, and nothing about the run.
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


def with_model_flags(*models: Model) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one optional flag for every field of ``models``.

    The command gets the values of those that the user gave as its argument ``flags``, by field:
    ``flags["model_kwargs"] == {"depth": 20}``. Names, types, help texts, panels and defaults are
    those of the fields (see :class:`rbench.plugin.options.Flag`).
    """
    fields = {
        name: info
        for model in models
        for name, info in model.model_fields.items()
        if _marked(info) != NO_FLAG
    }

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function, eval_str=True).parameters
        parameters = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_flag(name, info)
            )
            for name, info in fields.items()
        ]
        # The command's own flags behind those of the models, arguments before them.
        parameters += [
            p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, p in own.items()
            if name != "flags"
        ]

        def command(**given: Any) -> None:
            words = {name: given.pop(name) for name in fields}
            flags = {
                name: _value(name, fields[name], value)
                for name, value in words.items()
                if value not in (None, [])
            }
            function(flags=flags, **given)

        command.__doc__ = function.__doc__
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


def fields_of(model: Model, flags: dict[str, Any]) -> dict[str, Any]:
    """Those of ``flags`` that are fields of ``model``."""
    return {name: value for name, value in flags.items() if name in model.model_fields}


def _marked(info: FieldInfo) -> Flag:
    """The field's own Flag; a field of a recipe needs none."""
    marks = [part for part in info.metadata if isinstance(part, Flag)]
    return marks[0] if marks else Flag("Training", shows_default=False)


def _long(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _flag(name: str, info: FieldInfo) -> Any:
    mark, kind = _marked(info), _without_none(info.annotation)
    long = _long(name)
    names = [mark.short] if mark.short else []
    names.append(f"{long}/--no-{long[2:]}" if kind is bool else long)
    option = typer.Option(
        *names,
        help=_help(info, mark),
        rich_help_panel=mark.panel,
        metavar=_metavar(name, kind),
        autocompletion=complete(mark.names) if mark.names else None,
    )
    return Annotated[_typer_type(kind) | None, option]


def _help(info: FieldInfo, mark: Flag) -> str:
    """The field's description, where its valid values are listed, and its default."""
    text = info.description or ""
    if mark.names:
        text += f" (see: rbench list {mark.names})"
    default = info.get_default()
    if not mark.shows_default or info.is_required() or default in (None, False, "", (), {}, []):
        return text
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
    return f"{text} (default: {'yes' if default is True else shown})"


def _metavar(name: str, kind: Any) -> str | None:
    """What stands for the value in the help: the choices, or the form of several values."""
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    if get_origin(kind) is dict:
        group = {"metric_kwargs": "metric.", "freeze_kwargs": "rule."}.get(name, "")
        return f"{group}name=value..."
    return "values..." if get_origin(kind) in (tuple, list) else None


def _value(name: str, info: FieldInfo, value: Any) -> Any:
    """What the user typed, as the model's field takes it."""
    kind = _without_none(info.annotation)
    if get_origin(kind) is dict:
        return table(_long(name), value)
    if get_origin(kind) is tuple and get_args(kind)[0] is str:
        return [part for word in value for part in word.split(",") if part]
    return value


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, UnionType):
        kinds = [a for a in get_args(annotation) if a is not type(None)]
        # A number or a word: the model's own validator tells them apart.
        return kinds[0] if len(kinds) == 1 else str
    return annotation


def _typer_type(kind: Any) -> Any:
    """The type that typer reads: a Literal as its text, tuples and tables as lists."""
    if get_origin(kind) is Literal:
        return str
    if get_origin(kind) is tuple:
        return list[get_args(kind)[0]]  # type: ignore[misc]
    return list[str] if get_origin(kind) is dict else kind
