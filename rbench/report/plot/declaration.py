"""What a ``[[figure]]`` table may hold; the package's docstring explains each field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from rbench.errors import UserError, printable, suggest
from rbench.plugin.options import Options
from rbench.report.kinds import refuse_unread
from rbench.spec.conditions import Scalar, Where

Scale = Literal["linear", "log", "log2"]
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
_ALL = "name kind title paper where order labels width height front"
_AXES = f"{_ALL} panel y series error xlabel ylabel xlim ylim yscale reference"
_FIELDS = {
    "curve": f"{_AXES} x xscale xorder minus sign slope fit best reported findings",
    "bars": f"{_AXES} x xorder minus sign reported findings",
    "strip": f"{_AXES} findings",
    "scatter": f"{_AXES} x xscale",
    "history": f"{_AXES} xscale smooth",
    "heatmap": f"{_ALL} panel x y value xorder xlabel ylabel",
    "matrix": f"{_ALL} panel value series ylabel",
    "pictures": f"{_ALL} rows columns picture caption nearest first xorder",
}
"""The fields that each kind of figure reads."""


class Reference(Options):
    """A horizontal line: a number, a reported value, or the mean of some records."""

    label: str
    value: float | None = None
    error: float | None = None
    reported: str | None = Field(None, description="paper:id of a value in registry papers")
    where: Where | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Reference:
        if sum(s is not None for s in (self.value, self.reported, self.where)) != 1:
            raise ValueError("give one of value, reported and where")
        return self


class Reported(Options):
    """Points that a paper prints."""

    label: str
    x: list[Scalar]
    y: list[float]
    error: list[float] | None = None

    @model_validator(mode="after")
    def _same_lengths(self) -> Reported:
        if len(self.x) != len(self.y) or len(self.error or self.y) != len(self.y):
            raise ValueError("x, y and error differ in length")
        return self


class Figure(Options):
    """One declared figure."""

    name: str = Field(pattern=NAME)
    kind: Literal["curve", "bars", "strip", "scatter", "history", "heatmap", "matrix", "pictures"]
    title: str = ""
    paper: str | None = Field(None, description="the figure of a paper that this one repeats")
    x: str | None = None
    y: str | list[str] | None = None
    value: str | None = None
    series: str | list[str] | None = None
    panel: str | None = None
    where: Where = Field(default_factory=dict)
    minus: Where = Field(default_factory=dict)
    sign: Literal[1, -1] = 1
    error: Literal["std", "sem", "ci", "none"] = "std"
    xscale: Scale = "linear"
    yscale: Scale = "linear"
    xlabel: str | None = None
    ylabel: str | None = None
    xlim: tuple[float, float] | None = None
    ylim: tuple[float, float] | None = None
    xorder: list[Scalar] = Field(default_factory=list)
    order: list[Scalar] = Field(default_factory=list)
    labels: dict[str, str] = Field(default_factory=dict)
    width: Literal["column", "page"] = "column"
    height: float | None = Field(None, gt=0, le=20, description="inches")
    slope: float | None = None
    fit: bool = False
    smooth: int = Field(1, ge=1)
    best: bool = Field(False, description="a curve marks the best point of each series")
    rows: str | None = None
    columns: str | None = None
    picture: str = "*"
    caption: str | None = None
    nearest: str | None = None
    first: int = Field(1, ge=1, le=64)
    front: int | None = Field(None, ge=1, description="rank among figures the page begins with")
    findings: list[str] = Field(default_factory=list)
    reference: list[Reference] = Field(default_factory=list)
    reported: list[Reported] = Field(default_factory=list)

    @model_validator(mode="after")
    def _complete(self) -> Figure:
        needed: dict[str, tuple[str, ...]] = {
            "curve": ("x", "y"),
            "bars": ("x", "y"),
            "strip": ("y", "series"),
            "scatter": ("x", "y"),
            "history": ("y",),
            "heatmap": ("x", "y", "value"),
            "matrix": ("value",),
        }
        for field in needed.get(self.kind, ()):
            if getattr(self, field) is None:
                raise ValueError(f"kind {self.kind} needs {field}")
        refuse_unread("figure", self.kind, self, _FIELDS)
        if self.kind not in ("history", "curve") and isinstance(self.y, list):
            raise ValueError("only a curve and a history take a list of y")
        if isinstance(self.y, list) and not self.y:
            raise ValueError("y names no column")
        if self.findings and isinstance(self.y, list):
            raise ValueError("findings need one column y, not a list")
        if self.findings and self.minus:
            raise ValueError("findings are values of y, not differences: leave out minus")
        for axis, scale, limits in (("x", self.xscale, self.xlim), ("y", self.yscale, self.ylim)):
            if limits and limits[0] == limits[1]:
                raise ValueError(f"{axis}lim is empty: it begins and ends at {limits[0]:g}")
            if limits and scale != "linear" and min(limits) <= 0:
                raise ValueError(f"{axis}lim has {min(limits):g}, which no logarithmic axis shows")
        return self

    @property
    def ys(self) -> list[str]:
        """The columns of y, none for a figure without."""
        return [self.y] if isinstance(self.y, str) else list(self.y or [])

    @property
    def series_columns(self) -> list[str]:
        """The columns whose values make a series."""
        if self.series is None:
            return []
        return [self.series] if isinstance(self.series, str) else self.series

    def word(self, value: Any) -> str:
        """A value as the figure writes it."""
        text = f"{value:g}" if isinstance(value, float) else str(value)
        return self.labels.get(text, text)

    def titled(self, column: str, value: Any) -> str:
        """A value under its column's name, where the value alone would be a bare number."""
        if isinstance(value, int | float) and str(value) not in self.labels:
            return f"{column.rpartition('.')[2].replace('_', ' ')} {self.word(value)}"
        return self.word(value)


def figures(tables: Iterable[Mapping[str, Any]], where: str) -> list[Figure]:
    """Validate a suite's ``figure`` tables; UserError in one line, with the nearest name."""
    found: list[Figure] = []
    for place, table in enumerate(tables, 1):
        try:
            found.append(Figure.model_validate(dict(table)))
        except ValidationError as error:
            name = table.get("name", place)
            raise UserError(f"{where}, figure {printable(name, 60)}: {_first(error)}") from error
    names = [figure.name for figure in found]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{where} declares the figure {name} twice")
    return found


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        models: dict[str, type[BaseModel]] = {"reference": Reference, "reported": Reported}
        model = models.get(str(first["loc"][0]), Figure) if len(first["loc"]) > 1 else Figure
        return f"unknown field '{printable(path)}'{suggest(path, model.model_fields)}"
    message = first["msg"].removeprefix("Value error, ")
    return printable(f"{path}: {message}" if path else message, 300)
