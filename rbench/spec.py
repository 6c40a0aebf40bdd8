"""What a user asks for: a run, or a suite of runs. Parsed and validated, nothing resolved."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, JsonValue, ValidationError, field_validator

from rbench.components import Options
from rbench.errors import UserError, printable, suggest

M = TypeVar("M", bound=BaseModel)
Kwargs = dict[str, JsonValue]


class RunSpec(Options):
    """One run. Every field but ``model`` has a default; None means: what the others imply."""

    model: str = Field(min_length=1, description="architecture: a timm model or a plugin's")
    model_kwargs: Kwargs = Field({}, description="options of the architecture")
    pretrained: bool = Field(False, description="start from published weights")
    initial_checkpoint: str | None = Field(None, description="start from this safetensors file")
    num_classes: int | None = Field(None, ge=1, description="outputs; none: the data set's")
    in_chans: int | None = Field(None, ge=1, le=16, description="channels; none: the data set's")
    img_size: tuple[int, int] | None = Field(None, description="pixels; none: the data set's")
    init: str | None = Field(None, description="initializer; none: the architecture's own")
    init_kwargs: Kwargs = Field({}, description="options of the initializer")
    init_scope: Literal["spatial", "all"] = Field(
        "spatial", description="convolutions that the initializer draws: spatial ones or all"
    )
    freeze: tuple[str, ...] = Field(
        ("none",), description="what stays as drawn: none, spatial, batchnorm, all, or patterns"
    )
    task: str = Field("classification", description="what is asked of the network")
    task_kwargs: Kwargs = Field({}, description="options of the task")
    dataset: str | None = Field(None, description="images; none: the task's")
    dataset_kwargs: Kwargs = Field({}, description="options of the data set")
    data_dir: str | None = Field(None, description="where the data set's files are")
    download: bool = Field(False, description="fetch the data set into data_dir if missing")
    skip_bad: bool = Field(False, description="go on without unreadable images")
    recipe: str | None = Field(None, description="training recipe; none: the data set's")
    training: Kwargs = Field({}, description="fields of the recipe to replace")
    metrics: tuple[str, ...] | None = Field(None, description="what is measured")
    metric_kwargs: dict[str, Kwargs] = Field({}, description="options of metrics, by metric")
    limit: int | None = Field(None, ge=1, description="train on so many images only")
    seed: int = Field(0, ge=0, lt=2**31, description="of every random choice")
    deterministic: bool = Field(False, description="only deterministic kernels")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    workers: int = Field(2, ge=0, description="processes that read streamed images")

    @field_validator("img_size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int) else value

    @field_validator("img_size")
    @classmethod
    def _positive(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and min(value) < 1:
            raise ValueError("must be at least 1 pixel")
        return value

    @field_validator("freeze", "metrics", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value


PLACES = ("data_dir", "download", "device", "workers")
"""Fields that say where and how, and cannot change a number."""


class SuiteSpec(Options):
    """A grid of runs: ``base`` fields, and for each of ``grid`` the product of its lists.

    Keys are fields of :class:`RunSpec`; dots reach into tables (``model_kwargs.width``). In a
    grid a list is an axis and anything else a constant. Every cell runs ``seeds`` seeds.
    """

    name: str
    summary: str
    paper: str | None = Field(None, description="which table or figure, such as 'P2 Fig 4'")
    protocol: Literal["paper", "reduced", "own"] = Field(
        "own", description="whether this is the paper's protocol, a reduced one, or neither"
    )
    discussion: str = ""
    seeds: int = Field(1, ge=1)
    base: dict[str, JsonValue] = {}
    grid: list[dict[str, JsonValue]] = [{}]
    figure: list[dict[str, JsonValue]] = []
    compare: list[dict[str, JsonValue]] = []

    def cells(self, overrides: Mapping[str, Any] | None = None) -> list[RunSpec]:
        """Every run of the suite, in order, without repetitions; ``overrides`` win."""
        specs: dict[tuple[str, int], RunSpec] = {}
        for assignment in self._assignments():
            fields: dict[str, Any] = {}
            for key, value in {**self.base, **assignment, **(overrides or {})}.items():
                assign(fields, key, value)
            # Parsed once for all seeds: a suite may have a hundred thousand cells.
            spec = parse(RunSpec, fields, f"suite {self.name}")
            key = spec.model_dump_json(exclude={"seed"})
            for seed in [spec.seed] if "seed" in fields else range(self.seeds):
                specs.setdefault((key, seed), spec.model_copy(update={"seed": seed}))
        return list(specs.values())

    def _assignments(self) -> Iterator[dict[str, JsonValue]]:
        for table in self.grid:
            axes = [value if isinstance(value, list) else [value] for value in table.values()]
            for values in itertools.product(*axes):
                yield dict(zip(table, values, strict=True))


def assign(fields: dict[str, Any], key: str, value: Any) -> None:
    """Set ``a.b.c`` in nested tables, leaving the caller's own tables untouched."""
    *parents, last = key.split(".")
    for parent in parents:
        inner = fields.get(parent, {})
        if not isinstance(inner, dict):
            raise UserError(f"'{printable(key)}' reaches into '{parent}', which is no table")
        fields[parent] = fields = dict(inner)
    fields[last] = {**value} if isinstance(value, dict) else value


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
