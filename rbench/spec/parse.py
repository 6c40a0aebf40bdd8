"""Validate fields by a model; one line for the user where they do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rbench.errors import UserError, printable, suggest

M = TypeVar("M", bound=BaseModel)


def parse(model: type[M], fields: Mapping[str, Any], where: str) -> M:
    """Validate ``fields``, or raise a UserError of one line with the nearest valid name."""
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        raise UserError(f"{where}: {complaint(error, model)}") from error


def complaint(error: ValidationError, model: type[BaseModel]) -> str:
    """The first of pydantic's complaints in the user's words."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown option '{printable(name)}'{suggest(name, model.model_fields)}"
    if first["type"] == "missing":
        return f"'{name}' is missing"
    message = printable(first["msg"].removeprefix("Value error, "), 300)
    return f"{name} = {printable(repr(first['input']), 60)}: {message}" if name else message
