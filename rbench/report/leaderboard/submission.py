"""Records from elsewhere: everything that is checked before one enters the leaderboards.

``submit`` checks all of them first and writes afterwards; a record's file comes last and in one
step, so that the folder never holds half of one.
"""

from __future__ import annotations

import contextlib
import getpass
import math
import platform
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from rbench.errors import UserError, printable
from rbench.files import write_atomically
from rbench.plugin.catalog import Catalog
from rbench.records.record import Record, RecordError, read, to_json
from rbench.report.leaderboard.reader import record_files
from rbench.spec.protocol import digest, protocol, protocol_with_metrics

LARGEST = 8 * 2**20
"""Bytes of a record or a picture."""
_PICTURES = {".png": b"\x89PNG\r\n\x1a\n", ".jpg": b"\xff\xd8\xff"}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_PATH = re.compile(
    r"(?:^|(?<=[\s\"'=(\[,;|<>]))(?:/[\w.~+-]+|~[\w.-]*/)|file://|(?:^|(?<=\W))[A-Za-z]:\\|\\\\\w"
)
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+\w")
_ANYBODY = {"root", "user", "users", "home", "localhost", "runner", "ubuntu", "admin", "docker"}
"""Names of accounts and machines that identify nobody."""


@dataclass(frozen=True)
class Submission:
    """A checked record and its pictures, by their paths inside the folder of records."""

    name: str
    record: Record
    pictures: dict[str, bytes]


@dataclass(frozen=True)
class Submitted:
    """What :func:`submit` did with the records it was given."""

    new: list[Submission]
    present: int
    """Records that the folder held already."""
    unfinished: int
    """Records of failed and interrupted runs, which are skipped."""


def submit(paths: Iterable[Path], to: Path, *, allow_reduced: bool = False) -> Submitted:
    """Check the records in ``paths`` and copy them into ``to``.

    Records of failed and interrupted runs, and records that ``to`` holds already, are skipped.
    Records of reduced runs (one epoch, or a limit on the images) need ``allow_reduced``.
    UserError with one line per record, and nothing written, if any cannot be accepted or would
    replace a different one.
    """
    words = private_words()
    present = {record.digest: (file, record) for file, record in _records(to)}
    fresh: dict[str, Submission] = {}
    skipped = unfinished = reduced = 0
    refused: list[str] = []
    for path in paths:
        try:
            record = _read(path)
            if record.status != "done":
                unfinished += 1
                continue
            known = present.get(record.digest)
            if known is not None and to_json(known[1]) == to_json(record):
                skipped += 1
                continue
            one = _checked(path, record, words)
            if known is not None:
                raise UserError(f"{path}: {known[0]} is another record of the same run")
            for name in (one.name, *one.pictures):
                if (to / name).exists() or any(
                    name in (o.name, *o.pictures) for o in fresh.values()
                ):
                    raise UserError(f"{path}: {to / name} is there already and is another file")
        except UserError as error:
            refused.append(str(error))
            continue
        reduced += is_reduced(record)
        present[record.digest] = (path, record)
        fresh[one.name] = one
    if reduced and not allow_reduced:
        refused.append(
            f"records of one epoch or of a limited number of images: {reduced}; "
            "add --allow-reduced to submit them too"
        )
    if refused:
        raise UserError("\n".join(refused))
    for one in fresh.values():
        for name, content in one.pictures.items():
            write_atomically(to / name, content)
        write_atomically(to / one.name, to_json(one.record))
    return Submitted(list(fresh.values()), skipped, unfinished)


def is_reduced(record: Record) -> bool:
    """Whether a run was a quick trial: at most one epoch, or a limit on the images."""
    resolved = record.resolved
    training = resolved.get("training")
    epochs = training.get("epochs") if isinstance(training, dict) else None
    short = isinstance(epochs, int | float) and epochs <= 1
    return short or any(resolved.get(key) for key in ("limit", "limit_test"))


def check(path: Path, private: Iterable[str] = ()) -> Submission:
    """The record at ``path`` if it may enter; a UserError with every complaint if it may not."""
    return _checked(path, _read(path), private)


def _read(path: Path) -> Record:
    if path.is_file() and path.stat().st_size > LARGEST:
        raise RecordError(f"{path} has more than {LARGEST // 2**20} MiB")
    return read(path)


def _checked(path: Path, record: Record, private: Iterable[str]) -> Submission:
    complaints = list(dict.fromkeys(_complaints(record, private)))
    if not _NAME.fullmatch(path.name) or not path.name.endswith(".json"):
        complaints.append("a record's file name has letters, digits, dot, - and _ only")
    if complaints:
        raise RecordError(f"{path}: {'; '.join(complaints)}")
    return Submission(path.name, record, _pictures(path, record))


def private_words() -> set[str]:
    """The names of this machine and of its user, in lower case, unless they are anybody's."""
    names = {platform.node(), platform.node().partition(".")[0], Path.home().name}
    with contextlib.suppress(OSError, KeyError):
        names.add(getpass.getuser())
    return {name.lower() for name in names if len(name) > 2} - _ANYBODY


def _complaints(record: Record, private: Iterable[str]) -> Iterator[str]:
    if record.status == "interrupted":
        yield "its run was interrupted: run it again"
    for where, value in _leaves(record.model_dump(mode="python")):
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{where} is not finite"
    yield from _loose(record)
    yield from _unreleased(record)
    yield from _identity(record)
    yield from _provenance(record)
    if record.status == "done":  # a failed run is shown as such, and has no numbers to check
        yield from _fingerprints(record)
        yield from _ranges(record)
    elif record.error is None or record.metrics:
        yield "its run failed, and it does not say why or has numbers all the same"
    yield from _secrets(record, private)


def _loose(record: Record) -> Iterator[str]:
    """Components that others cannot install."""
    loose = record.resolved.get("loose")
    for name in loose if isinstance(loose, dict) else ():
        file = name if name.endswith(".py") else "FILE.py"
        where = "a file" if name.endswith(".py") else "a Python session"
        yield (
            f"{printable(name, 60)} is of {where}, not of a package that others can install; "
            f"rbench new-plugin NAME --from {printable(file, 60)} makes one"
        )


def _unreleased(record: Record) -> Iterator[str]:
    """Components whose source is part of the run's identity, since no release stands for it."""
    resolved = record.resolved
    kinds = {"init": "initializer", "init_norm": "initializer"}
    parts: list[tuple[str, Any]] = [(kinds.get(key, key), part) for key, part in resolved.items()]
    metrics, rules = resolved.get("metrics"), resolved.get("freeze_rules")
    parts += [("metric", one) for one in (metrics if isinstance(metrics, list) else ())]
    if isinstance(rules, dict):
        parts += [
            ("freezing rule", {"name": k, **v}) for k, v in rules.items() if isinstance(v, dict)
        ]
    for kind, part in parts:
        if isinstance(part, dict) and part.get("source"):
            yield (
                f"the {kind} {printable(part.get('name'), 60)} ran from code that was edited in "
                "place, which others cannot install; install the plugin as a released package "
                "(pip install, without -e) and run again"
            )


def _identity(record: Record) -> Iterator[str]:
    resolved = record.resolved
    if digest(resolved) != record.digest:
        yield "its digest is not that of its content (resolved)"
    if resolved.get("seed") != record.seed or record.spec.get("seed", 0) != record.seed:
        yield "its seed is not the one of its spec"
    try:
        task = Catalog.from_environment().task(str(resolved["task"]["name"]))  # type: ignore[index,call-overload]
        known = (protocol(resolved, task.compared), protocol_with_metrics(resolved, task.compared))
        same = record.protocol in known
    except UserError as error:
        yield str(error)
        return
    except (TypeError, KeyError, AttributeError, ValueError):
        same = False
    if not same:
        yield "its protocol is not that of its content (resolved)"
    if record.comparable and any(resolved.get(key) for key in ("limit", "limit_test")):
        yield "comparable does not fit its limit"


def _provenance(record: Record) -> Iterator[str]:
    packages = record.environment.get("packages")
    versions = packages if isinstance(packages, dict) else {}
    for name in ("rbench", "torch"):
        if not versions.get(name):
            yield f"it does not say which version of {name} ran (environment.packages)"
    for name in ("python", "device", "precision", "cpu"):
        if not record.environment.get(name):
            yield f"it does not say its environment.{name}"
    if not record.plugins:
        yield "it names no plugin"
    if record.git_commit is not None and not re.fullmatch(r"[0-9a-f]{40}\+?", record.git_commit):
        yield "git_commit is not a commit"
    try:
        started = datetime.fromisoformat(record.started)
    except ValueError:
        yield "started is not a date"
        return
    if started.tzinfo is None or started > datetime.now(UTC) + timedelta(days=1):
        yield "started has no time zone or lies in the future"


def _fingerprints(record: Record) -> Iterator[str]:
    freeze = record.freeze
    if freeze is None:
        yield "it does not say what was frozen"
        return
    for kind, part in (("learnable", freeze.learnable), ("frozen", freeze.frozen)):
        kept = part.count if part.stored is None else part.stored
        if part.count < 0 or kept < 0 or bool(part.names) != bool(kept):
            yield f"its {kind} tensors do not fit their count"
    if freeze.frozen.names and not _hash(freeze.frozen.sha256):
        yield "it has no fingerprint of the frozen tensors"
    if freeze.sha256_after != freeze.frozen.sha256:
        yield "its frozen tensors moved (sha256_after is not frozen.sha256)"
    if (freeze.learnable.count or freeze.frozen.count) and not (
        _hash(record.network_sha256) and _hash(record.result_sha256)
    ):
        yield "it has no fingerprint of the network before and after the task"


def _ranges(record: Record) -> Iterator[str]:
    if not any(metric.value is not None for metric in record.metrics):
        yield "it measured nothing"
    names = [metric.name for metric in record.metrics]
    if len(set(names)) < len(names):
        yield "two of its metrics have one name"
    for metric in record.metrics:
        name = printable(metric.name, 60)
        if metric.value is not None and metric.unit == "%" and not 0 <= metric.value <= 100:
            yield f"{name} is {metric.value} %"
        if metric.n < 1:
            yield f"{name} is of n = {metric.n}"
        if metric.uncertainty is not None and not metric.uncertainty >= 0:
            yield f"{name} has the uncertainty {metric.uncertainty}"
    durations = [record.seconds, *(phase.seconds for phase in record.timing)]
    if not record.seconds > 0 or min(durations) < 0:
        yield "its seconds are not above 0"


def _secrets(record: Record, private: Iterable[str]) -> Iterator[str]:
    """Personal paths and names, without repeating them."""
    names = "|".join(re.escape(word) for word in sorted(private))
    whose = re.compile(rf"(?i)(?<![^\W_])(?:{names})(?![^\W_])") if names else None
    for where, value in _leaves(record.model_dump(mode="json")):
        if not isinstance(value, str):
            continue
        if _PATH.search(value):
            yield f"{where} holds a path of the machine that ran it"
        if _MAIL.search(value):
            yield f"{where} holds a mail address"
        if whose is not None and whose.search(value):
            yield f"{where} names this machine or its user"


def _leaves(content: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every key, and every value that is not a table or list, with the dotted name of its place."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield where, key
            name = printable(key, 80)
            yield from _leaves(value, f"{where}.{name}" if where else name)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _leaves(value, where)
    else:
        yield where, content


def _pictures(path: Path, record: Record) -> dict[str, bytes]:
    found = {}
    for artifact in record.artifacts:
        name = PurePosixPath(artifact.file)
        shown = printable(artifact.file, 80)
        folder, *rest = name.parts or ("",)
        if folder != path.stem or len(rest) != 1 or not _NAME.fullmatch(rest[0]):
            raise RecordError(f"{path}: the picture {shown} is not in the folder {path.stem}/")
        file = path.parent / name
        if file.is_symlink() or file.parent.is_symlink() or not file.is_file():
            raise RecordError(f"{path}: the picture {shown} is missing")
        if file.stat().st_size > LARGEST:
            raise RecordError(f"{path}: the picture {shown} is too large")
        content = file.read_bytes()
        magic = _PICTURES.get(name.suffix)
        if magic is None or not content.startswith(magic):
            raise RecordError(f"{path}: {shown} is not a PNG or JPEG picture")
        found[str(name)] = content
    return found


def _records(folder: Path) -> Iterator[tuple[Path, Record]]:
    if folder.is_dir():
        for name in sorted(record_files(folder)):
            yield folder / name, read(folder / name)


def _hash(text: str | None) -> bool:
    return text is not None and _SHA256.fullmatch(text) is not None
