"""Declarations that come in kinds, each of which reads only some of the fields."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel


def refuse_unread(what: str, kind: str, declared: BaseModel, fields: Mapping[str, str]) -> None:
    """ValueError for a given field that declarations of ``kind`` do not read.

    ``fields`` has for each kind the names of those that it reads, with spaces between them.
    """
    for field in sorted(declared.model_fields_set - set(fields[kind].split())):
        able = " or ".join(name for name in fields if field in fields[name].split())
        raise ValueError(f"{field} has no meaning for a {what} of kind {kind}, only for {able}")
