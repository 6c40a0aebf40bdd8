"""The layout of a results folder, written down once.

::

    results/
      SLUG.json                 the record of a run; SLUG is its name without the folder
      SLUG.failed.json          a failed repetition of a run whose good record is kept
      SLUG/                     pictures, weights and predictions of a run
      .unfinished/SLUG/         the same files while the run is under way
      .checkpoints/SLUG/        checkpoints of a run that is not done
      .logs/SLUG.log            what a run printed, until it is done
      .locks/SLUG.N             who is running it (rbench.sweep.locks)
      .slurm/                   scripts and outputs of Slurm jobs

A run is found again by the digest that ends its name, whatever stands before it: other versions
of rbench may have named it otherwise (:meth:`Store.name`).

Nothing else in rbench spells these paths. The class is in the room of records, not of sweeps,
because a single run also writes checkpoints and pictures into such a folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rbench.errors import UserError
from rbench.files import write_atomically
from rbench.records.record import Record, RecordError, read, to_json
from rbench.records.status import FileVersion, Status, file_version, run_status

RECORD_SUFFIX = ".json"
WEIGHTS = "weights.safetensors"
_DIGEST = re.compile(r"-([0-9a-f]{10})(\.json|\.\d+)?$")
"""The digest at the end of a record's, a folder's or a lock's name."""


@dataclass(frozen=True)
class Store:
    """A results folder. Several processes, on several machines, may share it."""

    output: Path

    def name(self, slug: str) -> str:
        """The name that the run ``slug`` has in this folder: ``slug``, unless it has another.

        A record, a lock or a checkpoint whose name ends in the same digest is of the same run.
        """
        if self.record(slug).exists():
            return slug
        digest = _DIGEST.search(slug)
        names = self._names.get(digest[1], [slug]) if digest else [slug]
        return slug if slug in names else names[0]

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        """The names of runs by the digest in them; read once, since this rbench adds no others."""
        found: dict[str, list[str]] = {}
        for folder in (self.output, self.checkpoints(""), self.locks):
            with suppress(OSError):
                for entry in sorted(os.listdir(folder)):
                    if (digest := _DIGEST.search(entry)) and not entry.startswith("."):
                        name = entry.removesuffix(digest[2] or "")
                        found.setdefault(digest[1], []).append(name)
        return found

    def record(self, slug: str) -> Path:
        """Where the record of a run is."""
        return self.output / f"{slug}{RECORD_SUFFIX}"

    def other_record(self, slug: str, status: Status) -> Path:
        """Where the record of a repetition that did not end well is kept beside a good one."""
        return self.output / f"{slug}.{status}{RECORD_SUFFIX}"

    def artifacts(self, slug: str) -> Path:
        """The folder of a run's pictures and weights."""
        return self.output / slug

    def weights(self, slug: str) -> Path:
        """The weights of a run after its task, if it was asked to save them."""
        return self.artifacts(slug) / WEIGHTS

    def predictions(self, slug: str) -> Path:
        """What a classifier predicted for each image (see :mod:`rbench.records.predictions`)."""
        return self.artifacts(slug) / "predictions.safetensors"

    def unfinished(self, slug: str) -> Path:
        """The folder of a run's pictures and weights until the run has ended."""
        return self.output / ".unfinished" / slug

    def checkpoints(self, slug: str) -> Path:
        """The folder of a run's checkpoints."""
        return self.output / ".checkpoints" / slug

    def trained(self, training: str) -> Path:
        """The folder of a training whose metrics failed, by the digest of what it depends on."""
        return self.output / ".trained" / training[:16]

    def log(self, slug: str) -> Path:
        """The file of what a run printed."""
        return self.output / ".logs" / f"{slug}.log"

    @property
    def locks(self) -> Path:
        """The folder of locks; :class:`rbench.sweep.locks.RunLocks` owns its contents."""
        return self.output / ".locks"

    @property
    def slurm_jobs(self) -> Path:
        """The folder of Slurm's scripts and outputs; submitit replaces ``%j`` by the job's id."""
        return self.output / ".slurm" / "%j"

    def status(self, slug: str, digest: str) -> Status | None:
        """How the run ended; None if its record is missing, or is one of another digest."""
        return run_status(self.record(slug), digest)

    def version(self, slug: str) -> FileVersion | None:
        """Changes whenever the record is written; None while there is none."""
        return file_version(self.record(slug))

    def record_sha256(self, slug: str) -> str:
        """The SHA-256 of a record's file, the same on all machines; "" where there is none.

        Unlike :meth:`version`, which holds a file's number: some network file systems make it up.
        """
        try:
            return hashlib.sha256(self.record(slug).read_bytes()).hexdigest()
        except OSError:
            return ""

    def failed_since(self, slug: str, digest: str, before: str) -> bool:
        """Whether the run has failed since its record had the SHA-256 ``before``."""
        return self.status(slug, digest) == "failed" and self.record_sha256(slug) != before

    def finished(self, slug: str, digest: str) -> Record | None:
        """The record of a run that is done; None if there is none, or it did not end well."""
        path = self.record(slug)
        if not path.exists():
            return None
        try:
            record = read(path)
        except RecordError:
            return None
        return record if record.status == "done" and record.digest == digest else None

    def write(self, slug: str, record: Record) -> Path:
        """Write a record atomically and return its path. UserError if that fails."""
        path = self.record(slug)
        write_atomically(path, to_json(record))
        return path

    def keep_unfinished(self, slug: str) -> None:
        """Move the files of a run that has ended to where they stay."""
        if not self.unfinished(slug).is_dir():
            return
        self.artifacts(slug).mkdir(exist_ok=True)
        for file in self.unfinished(slug).iterdir():
            file.replace(self.artifacts(slug) / file.name)
        self.discard_unfinished(slug)

    def discard_unfinished(self, slug: str) -> None:
        """Remove the files of a run that ended otherwise than well, or was killed."""
        shutil.rmtree(self.unfinished(slug), ignore_errors=True)

    def discard_checkpoints(self, slug: str) -> None:
        """Remove the checkpoints of a run that is done."""
        folder = self.checkpoints(slug)
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.parent.rmdir()

    def discard_leftovers(self, done: Iterable[str]) -> None:
        """Remove checkpoints and logs of runs that are done.

        A process that was killed right after it had written the record did not remove them.
        """
        for slug in done:
            if self.checkpoints(slug).exists():
                self.discard_checkpoints(slug)
            if self.log(slug).exists():
                self.discard_log(slug)

    def discard_log(self, slug: str) -> None:
        """Remove the log of a run that is done."""
        with suppress(OSError):
            self.log(slug).unlink(missing_ok=True)

    def discard_partial_files(self, slug: str) -> None:
        """Remove what a process that died in the middle of a write left behind."""
        for path in self.output.glob(f".{self.record(slug).name[:160]}.*"):
            path.unlink(missing_ok=True)

    def record_files(self) -> Iterator[os.DirEntry[str]]:
        """The records that the folder itself holds, in no order; none where there is no folder."""
        with suppress(OSError), os.scandir(self.output) as entries:
            for entry in entries:
                if entry.name.endswith(RECORD_SUFFIX) and not entry.name.startswith("."):
                    yield entry

    def checkpoint_files(self) -> Iterator[Path]:
        """All files of checkpoints in the folder."""
        yield from self.output.glob(".checkpoints/*/*/*")

    def check_writable(self) -> None:
        """UserError, before anything is computed, if no record could be written."""
        try:
            self.output.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.output, prefix=".rbench-") as probe:
                probe.write(b"rbench")
                probe.flush()
                os.fsync(probe.fileno())
        except OSError as error:
            raise self.cannot_write(error) from error

    def cannot_write(self, error: OSError) -> UserError:
        """What to tell the user where the folder cannot be written."""
        return UserError(f"cannot write to --output {self.output}: {error.strerror or error}")


__all__ = ["RECORD_SUFFIX", "WEIGHTS", "Store"]
