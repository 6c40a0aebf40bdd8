"""Records as light rows: what tables need of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from rbench.errors import UserError


class Value(msgspec.Struct, frozen=True, gc=False):
    """One measured number of a record, without its details."""

    name: str
    value: float | None
    unit: str = ""
    higher_is_better: bool | None = None
    n: int = 1
    uncertainty: float | None = None
    uncertainty_kind: str | None = None
    over: str | None = None
    metric: str = ""


class Picture(msgspec.Struct, frozen=True, gc=False):
    """A picture beside a record; ``file`` is relative to the record's folder."""

    file: str
    caption: str = ""


class Row(msgspec.Struct, frozen=True, gc=False, eq=False):
    """One record. ``configuration`` is the same for all seeds of one configuration.

    ``identity`` is what the digest was taken of, without the seed and the metrics; ``asked`` are
    the metrics with their options; ``explicit_options`` holds the options that the user wrote out,
    for labels; ``frozen_names`` is a digest of the names of the frozen tensors; ``trained_images``
    counts an image again in each epoch, ``pixels`` are those of an image. ``learns`` says by kind
    of layer what learned; empty in older records. ``trained`` says whether anything learned.
    ``code`` holds the source's digest and the
    release of each component that is not rbench's own.
    """

    path: str
    digest: str
    status: str
    configuration: str
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
    frozen_names: str
    metrics: tuple[Value, ...]
    pictures: tuple[Picture, ...]
    identity: dict[str, Any]
    asked: list[dict[str, Any]]
    explicit_options: dict[str, Any]
    environment: dict[str, Any]
    error: str
    command: str
    selected_on_test: bool = False
    trained_images: int = 0
    pixels: int = 0
    learns: str = ""
    trained: bool = True
    code: dict[str, tuple[str, str]] = {}


def distinct(rows: Iterable[Row]) -> list[Row]:
    """One row a digest: a finished one before a failed one, then the earliest.

    UserError where two records of one run, started at the same time, have different numbers: one
    of them is an edited copy of the other.
    """
    best: dict[str, Row] = {}
    for row in rows:
        kept = best.get(row.digest)
        if kept is not None and kept.started == row.started and kept.metrics != row.metrics:
            raise UserError(
                f"{kept.path} and {row.path} are records of the same run with different numbers, "
                "so one of them was edited; remove that one"
            )
        if kept is None or _merit(row) < _merit(kept):
            best[row.digest] = row
    return sorted(best.values(), key=lambda row: (row.configuration, row.seed, row.digest))


def _merit(row: Row) -> tuple[bool, str, str]:
    return (row.status != "done", row.started, row.path)
