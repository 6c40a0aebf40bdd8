"""Records -> rows, read fast and checked on the way."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from rbench.errors import UserError, printable
from rbench.plugin.catalog import Catalog
from rbench.plugin.components import Task
from rbench.records.record import SCHEMA, Record, RecordError
from rbench.report.leaderboard.head import (
    Given,
    Head,
    parameters,
    selected_on_test,
    trained,
)
from rbench.report.leaderboard.parallel import side_by_side
from rbench.report.leaderboard.rows import Row
from rbench.spec.protocol import protocol, title, tuned
from rbench.spec.registry import known_data, known_name, recorded_contents

MANY = 5000
"""Records from which on several processes read them."""
PARTS = 8
_SEED = re.compile(rb',\s*"seed":\s*\d+\s*\}\Z')
"""A table's last member: followed by a single brace, it is not part of an inner table."""


class _Configuration(NamedTuple):
    """What all seeds of a configuration have in common."""

    configuration: str
    identity: dict[str, Any]
    asked: list[dict[str, Any]]
    protocol: str
    title: str


class Reader:
    """Turns records into rows; equal identities and environments are read and kept once.

    ``free`` are the options, by task, that a table compares; None: those of the tasks that are
    installed. Records of other tasks keep the protocol that they name.
    """

    def __init__(self, free: Mapping[str, Collection[str]] | None = None) -> None:
        self._free = free_options() if free is None else free
        self._head = msgspec.json.Decoder(Head)
        self._table = msgspec.json.Decoder(dict[str, Any])
        self._given = msgspec.json.Decoder(Given)
        self._tables: dict[bytes, dict[str, Any]] = {}
        self._configurations: dict[bytes, _Configuration] = {}
        self._identities: dict[str, dict[str, Any]] = {}
        self._options: dict[tuple[bytes, bytes], dict[str, Any]] = {}
        self._interned: dict[bytes, Any] = {}
        self._frozen: dict[bytes, str] = {}

    def parse(self, content: bytes | str, path: str) -> Row:
        """The row of a record's JSON text; RecordError in one line if it is none."""
        try:
            head = self._head.decode(content)
            if head.schema_version > SCHEMA:
                raise RecordError(
                    f"{printable(path)} has record schema {head.schema_version}; "
                    f"this rbench reads up to {SCHEMA}"
                )
            return self._row(head, path)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise RecordError(f"{printable(path)} is not a record: {printable(error)}") from error
        except RecursionError as error:
            raise RecordError(f"{printable(path)} is not a record: nested too deeply") from error

    def _row(self, head: Head, path: str) -> Row:
        resolved = bytes(head.resolved)
        known = self._configuration(resolved if resolved != b"{}" else bytes(head.spec))
        configuration, words = known.configuration, known.title
        protocol = known.protocol or head.protocol
        if head.tuning is not None and known.protocol:
            protocol, words = self._protocol(tuned(known.identity, head.tuning.axes))
        if head.data is not None and _ambiguous(known.identity):
            configuration = _with(configuration, head.data.revision)
            protocol = _with(protocol, head.data.revision)
        training = next((p for p in head.timing if p.name == "train"), None)
        learnable, frozen = parameters(head, known.identity)
        return Row(
            path=path,
            digest=head.digest,
            status=head.status,
            configuration=configuration,
            protocol=protocol,
            protocol_name=words or _named(head.protocol_name, known.identity),
            comparable=head.comparable,
            seed=head.seed,
            started=head.started,
            seconds=head.seconds,
            images_per_second=training.images_per_second if training else None,
            peak_memory_bytes=head.peak_memory_bytes,
            learnable_parameters=learnable,
            frozen_parameters=frozen,
            frozen_names=self._names(head.freeze.frozen.names) if head.freeze else "",
            learns=head.freeze.learns if head.freeze else "",
            trained=trained(head, known.identity),
            metrics=head.metrics,
            pictures=head.artifacts,
            identity=known.identity,
            asked=known.asked,
            explicit_options=self._explicit_options(head.spec),
            environment=self._shared(bytes(head.environment)),
            error=f"{head.error.kind}: {head.error.message}" if head.error else "",
            command=head.command,
            selected_on_test=selected_on_test(head, known.identity),
            trained_images=training.images or 0 if training else 0,
            pixels=math.prod(head.data.img_size) if head.data else 0,
            code={name: (head.sources.get(name, ""), v) for name, v in head.releases.items()},
        )

    def _configuration(self, text: bytes) -> _Configuration:
        """What the digest was taken of, without the seed and the metrics.

        The records of rbench have the seed at the end of it: without it the text is the same for
        all seeds of a configuration.
        """
        seedless = _SEED.sub(b"}", text)
        found = self._configurations.get(seedless)
        if found is None:
            content = self._table.decode(seedless)
            content.pop("seed", None)
            asked = content.pop("metrics", None)
            asked = (
                [one for one in asked if isinstance(one, dict)] if isinstance(asked, list) else []
            )
            digest = hashlib.sha256(canonical(content).encode()).hexdigest()[:16]
            if digest not in self._identities:
                self._identities[digest] = {k: self._intern(v) for k, v in content.items()}
            identity = self._identities[digest]
            found = _Configuration(digest, identity, self._intern(asked), *self._protocol(identity))
            if seedless is not text:
                self._configurations[seedless] = found
        return found

    def _protocol(self, identity: dict[str, Any]) -> tuple[str, str]:
        """Digest and title of the protocol; empty where the record alone can tell them."""
        task = identity.get("task")
        free = self._free.get(str(task.get("name"))) if isinstance(task, dict) else None
        if free is None:
            return "", ""
        try:
            words = title(identity)
        except (KeyError, TypeError, AttributeError):
            words = ""
        return protocol(identity, free), words

    def _names(self, text: msgspec.Raw) -> str:
        """The same for equal lists of tensors."""
        key = bytes(text)
        if key not in self._frozen:
            self._frozen[key] = hashlib.sha256(msgspec.json.format(key, indent=0)).hexdigest()[:16]
        return self._frozen[key]

    def _intern(self, value: Any) -> Any:
        """One object for all equal tables: most configurations have most of them in common."""
        if not isinstance(value, dict | list):
            return value
        return self._interned.setdefault(msgspec.json.encode(value), value)

    def _explicit_options(self, spec: msgspec.Raw) -> dict[str, Any]:
        given = self._given.decode(spec)
        key = bytes(given.model_kwargs), bytes(given.init_kwargs)
        found = self._options.get(key)
        if found is None:
            tables = zip(("model_kwargs", "init_kwargs"), map(self._table.decode, key), strict=True)
            found = self._options[key] = {name: table for name, table in tables if table}
        return found

    def _shared(self, text: bytes) -> dict[str, Any]:
        found = self._tables.get(text)
        if found is None:
            found = self._tables[text] = self._table.decode(text)
        return found


def free_options() -> dict[str, tuple[str, ...]]:
    """The options that a table compares, by the tasks that are installed."""
    catalog = Catalog.from_environment()
    return {
        task.name: task.compared for task in catalog.components("task") if isinstance(task, Task)
    }


def _named(title: str, identity: dict[str, Any]) -> str:
    """The protocol's title, where the folder of images got its name after the run."""
    dataset = identity.get("dataset")
    if not isinstance(dataset, dict):
        return title
    known = known_name(dataset)
    return title.replace(f" · {dataset.get('name')}", f" · {known}", 1) if known else title


def _ambiguous(identity: dict[str, Any]) -> bool:
    """Whether the record is of a time when folders were identified by names and sizes only."""
    dataset = identity.get("dataset")
    content = dataset.get("content") if isinstance(dataset, dict) else None
    if not isinstance(content, str) or content in known_data() or content in recorded_contents():
        return False
    return not content.startswith(("sha256:", "sample:"))


def _with(name: str, revision: str) -> str:
    """Another name for each revision of the data."""
    return hashlib.sha256(f"{name} {revision}".encode()).hexdigest()[: len(name)]


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
    names = sorted(record_files(folder))
    free = free_options()
    parts = [names]
    if len(names) > MANY:
        size = math.ceil(len(names) / PARTS)
        parts = [names[begin : begin + size] for begin in range(0, len(names), size)]

    def read(part: Sequence[str]) -> list[Row]:
        rows = _read(folder, part, skip_broken, free)
        # What will be used together shall lie together in memory: forks copy what they touch.
        return sorted(rows, key=lambda row: (row.protocol, row.configuration))

    found = side_by_side(read, parts, list(map(len, parts)))
    return sorted((row for rows in found for row in rows), key=lambda row: row.path)


def read_folders(folders: Sequence[Path], skip_broken: bool = False) -> tuple[list[Row], Path]:
    """Every record of several folders, with paths relative to the folder that holds them all."""
    distinct = sorted({folder.resolve() for folder in folders})
    if len(distinct) == 1:
        return read_rows(folders[0], skip_broken), folders[0]
    base = Path(os.path.commonpath(distinct))
    found: dict[str, Row] = {}
    for folder in distinct:
        prefix = os.path.relpath(folder, base).replace(os.sep, "/")
        for row in read_rows(folder, skip_broken):
            path = row.path if prefix == "." else f"{prefix}/{row.path}"
            found[path] = msgspec.structs.replace(row, path=path)
    return [found[path] for path in sorted(found)], base


def _read(
    folder: Path, names: Iterable[str], skip_broken: bool, free: Mapping[str, Collection[str]]
) -> list[Row]:
    reader = Reader(free)
    rows: list[Row] = []
    base = str(folder)
    for name in names:
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
