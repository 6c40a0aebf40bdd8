"""Records as light rows: what tables need of them, read fast and checked on the way."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from rbench.errors import UserError, printable
from rbench.record import SCHEMA, Record, RecordError, first_complaint
from rbench.registry import known_data


class _Slim(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore", allow_inf_nan=False)


class Value(_Slim):
    """One measured number of a record, without its details."""

    name: str
    value: float | None
    unit: str = ""
    higher_is_better: bool | None = None
    n: int = 1
    uncertainty: float | None = None
    uncertainty_kind: str | None = None


class Picture(_Slim):
    """A picture beside a record; ``file`` is relative to the record's folder."""

    file: str
    caption: str = ""


class _Count(_Slim):
    count: int


class _Frozen(_Slim):
    learnable: _Count
    frozen: _Count


class _Error(_Slim):
    kind: str
    message: str


class _Phase(_Slim):
    name: str
    seconds: float = 0.0
    images_per_second: float | None = None


class _Head(_Slim):
    """A record as the leaderboard reads it: the rest of the file is passed over."""

    schema_version: int
    digest: str
    status: Literal["done", "failed", "interrupted"] = "done"
    spec: dict[str, Any]
    resolved: dict[str, Any] = {}
    protocol: str = ""
    protocol_name: str = ""
    comparable: bool = True
    seed: int
    started: str
    seconds: float = 0.0
    peak_memory_bytes: int | None = None
    timing: list[_Phase] = []
    freeze: _Frozen | None = None
    metrics: list[Value] = []
    artifacts: list[Picture] = []
    environment: dict[str, Any] = {}
    error: _Error | None = None
    command: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One record. ``cell`` is the same for all seeds of one configuration.

    ``identity`` is what the digest was taken of, without the seed; ``given`` holds the options
    that the user wrote out, for labels.
    """

    path: str
    digest: str
    status: str
    cell: str
    protocol: str
    protocol_name: str
    comparable: bool
    seed: int
    started: str
    seconds: float
    images_per_second: float | None
    peak_memory_bytes: int | None
    learnable_parameters: int | None
    frozen_parameters: int | None
    metrics: tuple[Value, ...]
    pictures: tuple[Picture, ...]
    identity: dict[str, Any]
    given: dict[str, Any]
    environment: dict[str, Any]
    error: str
    command: str


class Reader:
    """Turns records into rows; equal identities and environments are kept in memory once."""

    def __init__(self) -> None:
        self._shared: dict[str, dict[str, Any]] = {}

    def parse(self, content: bytes | str, path: str) -> Row:
        """The row of a record's JSON text; RecordError in one line if it is none."""
        try:
            head = _Head.model_validate_json(content)
        except ValidationError as error:
            raise RecordError(
                f"{printable(path)} is no record: {first_complaint(error)}"
            ) from error
        except RecursionError as error:
            raise RecordError(f"{printable(path)} is no record: nested too deeply") from error
        if head.schema_version > SCHEMA:
            raise RecordError(
                f"{printable(path)} has record schema {head.schema_version}; "
                f"this rbench reads up to {SCHEMA}"
            )
        return self._row(head, path)

    def _row(self, head: _Head, path: str) -> Row:
        identity = {k: v for k, v in (head.resolved or head.spec).items() if k != "seed"}
        given = {k: head.spec[k] for k in ("model_kwargs", "init_kwargs") if head.spec.get(k)}
        text = canonical(identity)
        training = next((p for p in head.timing if p.name == "train"), None)
        return Row(
            path=path,
            digest=head.digest,
            status=head.status,
            cell=hashlib.sha256(text.encode()).hexdigest()[:16],
            protocol=head.protocol,
            protocol_name=_named(head.protocol_name, identity),
            comparable=head.comparable,
            seed=head.seed,
            started=head.started,
            seconds=head.seconds,
            images_per_second=training.images_per_second if training else None,
            peak_memory_bytes=head.peak_memory_bytes,
            learnable_parameters=head.freeze.learnable.count if head.freeze else None,
            frozen_parameters=head.freeze.frozen.count if head.freeze else None,
            metrics=tuple(head.metrics),
            pictures=tuple(head.artifacts),
            identity=self._shared.setdefault(text, identity),
            given=self._shared.setdefault(canonical(given), given),
            environment=self._shared.setdefault(canonical(head.environment), head.environment),
            error=f"{head.error.kind}: {head.error.message}" if head.error else "",
            command=head.command,
        )


def _named(title: str, identity: dict[str, Any]) -> str:
    """The protocol's title, where the folder of images got its name after the run."""
    dataset = identity.get("dataset")
    if not isinstance(dataset, dict):
        return title
    known = known_data().get(str(dataset.get("content")))
    return title.replace(f" · {dataset.get('name')}", f" · {known}", 1) if known else title


def canonical(content: object) -> str:
    """Canonical JSON: the same text for equal contents."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def from_records(records: Iterable[Record]) -> list[Row]:
    """Rows of records in memory; their paths are their digests."""
    reader = Reader()
    return [reader.parse(r.model_dump_json(), f"{r.digest}.json") for r in records]


def record_files(folder: Path) -> Iterator[str]:
    """Paths of all records under ``folder``, relative to it, with forward slashes."""
    if not folder.is_dir():
        raise UserError(f"there is no folder of records at {folder}")
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = os.path.relpath(root, folder).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        for name in files:
            if name.endswith(".json") and not name.startswith("."):
                yield prefix + name


def read_rows(folder: Path, skip_broken: bool = False) -> list[Row]:
    """Every record under ``folder``; a broken one is a RecordError unless it may be skipped."""
    reader = Reader()
    rows: list[Row] = []
    base = str(folder)
    for name in sorted(record_files(folder)):
        try:
            with open(f"{base}/{name}", "rb") as file:
                rows.append(reader.parse(file.read(), name))
        except RecordError:
            if not skip_broken:
                raise
        except OSError as error:
            if not skip_broken:
                raise RecordError(f"cannot read {folder / name}: {error.strerror}") from error
    return rows


def distinct(rows: Iterable[Row]) -> list[Row]:
    """One row a digest: a finished one before a failed one, then the earliest."""
    best: dict[str, Row] = {}
    for row in rows:
        kept = best.get(row.digest)
        if kept is None or _merit(row) < _merit(kept):
            best[row.digest] = row
    return sorted(best.values(), key=lambda row: (row.cell, row.seed, row.digest))


def _merit(row: Row) -> tuple[bool, str, str]:
    return (row.status != "done", row.started, row.path)
