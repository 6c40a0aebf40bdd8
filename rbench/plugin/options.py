"""The base of every options model."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Base of every options model: frozen, and an unknown field is an error.

    The fields are what ``rbench show`` prints and what ``--model-kwargs k=v`` and its sisters
    accept; give each a default, a type, and a ``Field(description=..., ge=...)`` where it helps.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, defer_build=True, allow_inf_nan=False, protected_namespaces=()
    )


class NoOptions(Options):
    """The options of a component that has none."""
