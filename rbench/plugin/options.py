"""The base of every options model, and how a model's fields become flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Base of every options model: frozen, and an unknown field is an error.

    The fields are what ``rbench show`` prints and what ``--model-kwargs k=v`` and its siblings
    accept; give each a default, a type, and a ``Field(description=..., ge=...)`` where it helps.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, defer_build=True, allow_inf_nan=False, protected_namespaces=()
    )


class NoOptions(Options):
    """The options of a component that has none."""


@dataclass(frozen=True)
class Flag:
    """How a field of a model appears on the command line: ``Annotated[int, Flag("Data")]``.

    The flag's name, type, help text and default are those of the field.
    """

    panel: str
    """The panel of ``--help`` that it stands in."""
    short: str = ""
    """A short spelling, such as ``-b``."""
    names: str = ""
    """The kind whose names are valid values, as ``rbench list`` takes it: ``models``."""
    shows_default: bool = True
    """False where another file, such as a recipe, gives the default."""


NO_FLAG = Flag("")
"""For a field that the command line does not offer under its own name."""
