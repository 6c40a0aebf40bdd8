"""The options that every attack has: how far a pixel may move, and how many images to attack."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from rbench import Options


class AttackOptions(Options):
    """Options shared by the attack metrics."""

    epsilons: tuple[float, ...] = Field(
        (1 / 255,),
        min_length=1,
        description="largest change of a pixel, images being in [0, 1]; fractions such as "
        "1/255 and comma-separated lists are accepted",
    )

    @field_validator("epsilons", mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        if isinstance(value, str):
            value = value.split(",")
        if isinstance(value, int | float):
            value = [value]
        return [number(item) for item in value] if isinstance(value, list | tuple) else value

    @field_validator("epsilons")
    @classmethod
    def _in_range(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        for epsilon in value:
            if not 0 < epsilon <= 1:
                raise ValueError(f"epsilon {epsilon} is not in (0, 1]; did you mean {epsilon}/255?")
        if len(set(value)) < len(value):
            raise ValueError("an epsilon is given twice")
        return value


class OptionalImages(AttackOptions):
    """With ``images``, which enters a run's identity only where it is given."""

    images: int | None = Field(
        None,
        ge=1,
        description="attack this many test images, evenly spaced in the dataset's order and the "
        "same for every run; none: all",
    )

    @model_serializer(mode="wrap")
    def _without_unused(self, rest: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Runs on all images keep the identity that they had before ``images`` was an option."""
        fields: dict[str, Any] = rest(self)
        if self.images is None:
            fields.pop("images", None)
        return fields


def number(item: object) -> object:
    """A fraction given as text, as a number; anything else unchanged, for pydantic to check."""
    if isinstance(item, str) and "/" in item:
        above, _, below = item.partition("/")
        try:
            return float(above) / float(below)
        except (ValueError, ZeroDivisionError):
            return item
    return item


def label(epsilon: float) -> str:
    """``1/255`` for whole numbers of grey levels, plain decimals otherwise."""
    levels = round(epsilon * 255)
    return f"{levels}/255" if levels and abs(epsilon - levels / 255) < 1e-9 else f"{epsilon:g}"
