"""What is kept of a run: one typed, versioned, strict-JSON file."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any, ClassVar, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError, model_validator

from rbench.errors import UserError, printable
from rbench.records.titles import learned, title

SCHEMA = 1


class RecordError(UserError):
    """A record file that cannot be used."""


class _Part(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", defer_build=True)


Over = Literal["images", "networks", "pairs", "layers"]


def _over_of(kind: str | None) -> Over | None:
    """What an ``uncertainty_kind`` is over: ``networks`` of "standard deviation over networks"."""
    words = (kind or "").rsplit(" over ", 1)
    found = next((word for word in get_args(Over) if words[1:] == [word]), None)
    return cast("Over | None", found)


class MetricValue(_Part):
    """One measured number.

    ``uncertainty`` is in the unit of ``value``; ``uncertainty_kind`` says what it is, such as
    ``binomial standard error over images``, and ``over`` of which of the ``n`` things a standard
    deviation was taken. ``higher_is_better`` None: neither. ``value`` may be None where the
    measurement was not finite; ``details`` holds what a picture needs. ``metric`` is the name of
    the component that measured it, filled in by the run.
    """

    name: str
    value: float | None
    unit: str = ""
    higher_is_better: bool | None = None
    n: int = 1
    uncertainty: float | None = None
    uncertainty_kind: str | None = None
    over: Over | None = None
    """What ``n`` counts and ``uncertainty`` is taken over; by default the word that
    ``uncertainty_kind`` ends in."""
    details: JsonValue = None
    metric: str = ""

    @model_validator(mode="after")
    def _over_from_kind(self) -> MetricValue:
        if self.over is None:
            self.over = _over_of(self.uncertainty_kind)
        return self


def over_networks(over: str | None, kind: str | None) -> bool:
    """Whether an uncertainty is a standard deviation, not an error, over networks.

    Records from before the field ``over`` say it in ``uncertainty_kind`` alone.
    """
    over = over or _over_of(kind)
    return over == "networks" and (kind or "").startswith("standard deviation")


class Phase(_Part):
    """One phase of a run: wall seconds, images processed."""

    name: str
    seconds: float = 0.0
    images: int = 0
    images_per_second: float | None = None


class Artifact(_Part):
    """A picture beside the record; ``file`` is relative to the record's folder."""

    file: str
    caption: str = ""


class Tensors(_Part):
    """Some of a network's parameters: how many numbers, which tensors, and their SHA-256.

    ``count`` is that of the network as it was asked for: an LC-block that is trained as one
    convolution counts all its filters and 1x1 weights. Where fewer or more are kept in memory,
    ``stored`` is their number.
    """

    count: int
    names: list[str] = []
    sha256: str | None = None
    stored: int | None = None


class FreezeReport(_Part):
    """Which parameters learn. ``sha256_after`` must equal ``frozen.sha256``.

    A tensor of which a part is frozen is named on both sides; the SHA-256 is of whole tensors, of
    ``buffers`` and of frozen entries with their masks. ``learns`` says by kind of layer what
    learns. ``trained`` says whether the run lets anything learn, without which ``learnable`` is
    what could; see :attr:`Record.trained` for records without it. ``statistics`` says whether
    frozen norms keep their running statistics; None in records from before, where they moved and
    are not in the SHA-256.
    """

    policy: list[str]
    learnable: Tensors
    frozen: Tensors
    sha256_after: str | None = None
    learns: str = ""
    trained: bool | None = None
    statistics: bool | None = None
    buffers: list[str] = []
    unfreeze: list[str] = []


class DrawReport(_Part):
    """What the run's initializers drew: ``tensors`` of the ``of`` that the network has, with
    ``numbers`` of its ``of_numbers``, and the layers' names."""

    tensors: int
    of: int
    numbers: int
    of_numbers: int
    names: list[str] = []


class DataReport(_Part):
    """The data that a run used."""

    name: str
    revision: str
    train_images: int | None = None
    test_images: int | None = None
    val_images: int | None = None
    num_classes: int | None = None
    class_names: list[str] = []
    """In the order of the network's outputs."""
    in_chans: int
    img_size: tuple[int, int]
    skipped: list[str] = []


class Selection(_Part):
    """The epoch whose weights were measured, and the score by which it was selected.

    ``epoch`` counts from 1. Where ``split`` is ``test``, the metrics on the test split are of an
    epoch that was selected on that same split, and so are too good.
    """

    split: Literal["val", "test"]
    metric: str
    epoch: int
    value: float


class Tried(_Part):
    """Values that a tuning tried, and their score; None where the run failed."""

    values: dict[str, float]
    score: float | None


class Tuning(_Part):
    """How the values of a run's options were chosen: by ``rbench tune``, on a validation split.

    ``axes`` are the ranges, ``trials`` quasi-random points of ``seed`` were tried, each with
    ``seeds`` runs, and the best mean of ``select`` won. ``at_edge`` names the axes on which the
    best value is the lowest or highest that was tried, so that a better one may lie beyond.
    """

    suite: str
    select: str
    trials: int
    seed: int
    seeds: int = 1
    axes: dict[str, dict[str, JsonValue]]
    chosen: dict[str, float]
    score: float
    at_edge: list[str] = []
    tried: list[Tried] = []


class Failure(_Part):
    """Why a run has no result."""

    kind: str
    message: str
    component: str = ""
    """The component whose function failed, such as ``metric fgsm``."""
    place: str = ""
    """File and line of that function, such as ``my_metrics.py:31``; no folders."""
    traceback: str = ""
    log: str = ""
    """The end of what the run printed, where it ran in a process of its own."""

    def describe(self) -> str:
        """One line: component, place, and what went wrong."""
        where = f"{self.component} ({self.place}): " if self.component and self.place else ""
        return f"{where}{self.kind}: {self.message}".removesuffix(": ")


class Record(_Part):
    """A run. ``spec`` repeats it; ``digest`` names it; ``protocol`` says what it compares with."""

    schema_version: int = SCHEMA
    digest: str
    status: Literal["done", "failed", "interrupted"] = "done"
    spec: dict[str, JsonValue]
    resolved: dict[str, JsonValue] = {}
    """Options, recipe and revisions after defaults: what the digest was taken of."""
    protocol: str = ""
    protocol_name: str = ""
    comparable: bool = True
    parent: str | None = None
    """The digest of the run whose saved weights were measured; None: this run's own."""
    seed: int
    started: str
    seconds: float = 0.0
    timing: list[Phase] = []
    peak_memory_bytes: int | None = None
    data: DataReport | None = None
    network_sha256: str | None = None
    """Of all parameters and buffers as they were built, before the task."""
    result_sha256: str | None = None
    """Of all parameters and buffers as the task left them."""
    freeze: FreezeReport | None = None
    selection: Selection | None = None
    """How the epoch was selected; None: the last one was taken."""
    draw: DrawReport | None = None
    """None: the network's own weights, and records from before."""
    tuning: Tuning | None = None
    """How the values of tuned options were chosen; None: by hand."""
    metrics: list[MetricValue] = []
    history: dict[str, list[float | None]] = {}
    impossible: list[Literal["curves", "predictions"]] = []
    """What was asked for and this run cannot give, so that asking again does not run it again."""
    details: dict[str, JsonValue] = {}
    artifacts: list[Artifact] = []
    environment: dict[str, JsonValue] = {}
    plugins: dict[str, str] = {}
    sources: dict[str, str] = {}
    """The first letters of the SHA-256 of each component's source files, by kind and name."""
    releases: dict[str, str] = {}
    """Distribution and version of the components that are not rbench's own, by kind and name."""
    git_commit: str | None = None
    notes: list[str] = []
    error: Failure | None = None
    command: str = ""

    @property
    def selected_on_test(self) -> bool:
        """Whether the epoch was selected on the test split, by which the metrics are judged.

        Records without :attr:`selection` are from before it existed: their recipe says it.
        """
        if self.selection is not None:
            return self.selection.split == "test"
        training = self.resolved.get("training")
        return (
            isinstance(training, dict)
            and training.get("keep") == "best"
            and "val" not in self.resolved
        )

    @property
    def trained(self) -> bool:
        """Whether parameters of the network learned; records from before say it by a recipe."""
        if self.freeze is not None and self.freeze.trained is not None:
            return self.freeze.trained
        return "training" not in self.resolved or self.resolved["training"] is not None

    def metric(self, name: str) -> MetricValue:
        """The value of that name; KeyError where the record has none."""
        for value in self.metrics:
            if value.name == name:
                return value
        raise KeyError(name)

    def __repr__(self) -> str:
        """One line: what ran, how it ended, and its metrics."""
        what = f"{title(self)}, seed {self.seed}"
        if self.error is not None:
            return f"<Record {what}: {self.status}: {printable(self.error.describe(), 120)}>"
        shown = [f"{m.name} {m.value:.4g}{m.unit}" for m in self.metrics if m.value is not None]
        more = f", {len(shown) - 6} more" if len(shown) > 6 else ""
        return f"<Record {what}: {self.status}: {', '.join(shown[:6])}{more}>"

    def _repr_html_(self) -> str:
        """A small table: what ran, how it ended, and every metric."""
        rows = [
            ("model", self.spec.get("model")),
            ("learns", learned(self)),
            ("protocol", self.protocol_name),
            ("seed", self.seed),
            ("status", self.status if self.error is None else self.error.describe()),
            *((m.name, f"{m.value} {m.unit}".strip()) for m in self.metrics),
            ("seconds", self.seconds),
        ]
        cells = "".join(
            f"<tr><th>{escape(str(k))}</th><td>{escape(str(v))}</td></tr>" for k, v in rows
        )
        return f"<table>{cells}</table>"


def to_json(record: Record) -> str:
    """Strict JSON: no NaN, fields in their order, one trailing newline."""
    return json.dumps(record.model_dump(mode="json"), allow_nan=False, indent=1) + "\n"


def read(path: Path) -> Record:
    """The record in ``path``; RecordError in one line if there is none that can be used."""
    return parse(_text(path), str(path))


def parse(text: str, where: str) -> Record:
    """The record that ``text`` holds."""
    try:
        content: Any = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{where} is not a record: broken JSON ({printable(error)})") from error
    if not isinstance(content, dict) or "schema_version" not in content:
        raise RecordError(f"{where} is not a record: it has no schema_version")
    version = content["schema_version"]
    if not isinstance(version, int) or version > SCHEMA:
        raise RecordError(
            f"{where} has record schema {printable(version, 20)}; this rbench reads up to {SCHEMA}"
        )
    spec = content.get("spec")
    resolved = content.get("resolved")
    if (
        isinstance(spec, dict)
        and isinstance(resolved, dict)
        and spec.get("init_scope") == resolved.get("init_scope") == "all"
    ):
        # "all" once meant all convolutions; where it means all weights, "resolved" says so.
        spec["init_scope"] = "conv"
    try:
        return Record.model_validate(content)
    except ValidationError as error:
        raise RecordError(f"{where} is not a record: {first_complaint(error)}") from error


def first_complaint(error: ValidationError) -> str:
    """The first of pydantic's complaints in one line."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return printable(f"{where}: {first['msg']}" if where else first["msg"])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecordError(f"{path} is not a record: not UTF-8 text") from error
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}") from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


__all__ = [
    "SCHEMA",
    "Artifact",
    "DataReport",
    "DrawReport",
    "Failure",
    "FreezeReport",
    "MetricValue",
    "Phase",
    "Record",
    "RecordError",
    "Selection",
    "Tensors",
    "Tried",
    "Tuning",
    "first_complaint",
    "over_networks",
    "parse",
    "read",
    "to_json",
]
