"""Copying the records of one results folder, with what is beside them, into another."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from rbench.errors import UserError
from rbench.records.record import Record, read, to_json
from rbench.records.store import RECORD_SUFFIX, Store


@dataclass(frozen=True)
class Merged:
    """How many records were copied, and how many were skipped because they are there already."""

    copied: int
    present: int


def merge(source: Store, target: Store) -> Merged:
    """Copy the records and artifacts of ``source`` into ``target``.

    A record that is there already is skipped, and so is one of a run that did not end well where
    ``target`` has the digest. UserError, one line per conflict, and nothing copied, where two
    records of one digest differ or a name is taken by a record of another run.
    """
    # A failed repetition lies beside the good record of its digest; the good one counts.
    here = {record.digest: (slug, record) for slug, record in reversed(_records(target))}
    names = {slug: record.digest for slug, record in _records(target)}
    chosen: list[tuple[str, Record]] = []
    present = 0
    conflicts = []
    for slug, record in _records(source):
        known = here.get(record.digest)
        if known is not None and (record.status != "done" or known[1].status == "done"):
            if record.status == "done" and to_json(known[1]) != to_json(record):
                conflicts.append(
                    f"{source.record(slug)} and {target.record(known[0])} "
                    "are different records of one run"
                )
            present += 1
        elif names.get(slug, record.digest) != record.digest:
            conflicts.append(
                f"{source.record(slug)} and {target.record(slug)} are records of different runs"
            )
        else:
            here[record.digest] = (slug, record)
            chosen.append((slug, record))
    if conflicts:
        raise UserError("\n".join(conflicts))
    target.check_writable()
    for slug, record in chosen:
        if source.artifacts(slug).is_dir():
            shutil.copytree(source.artifacts(slug), target.artifacts(slug), dirs_exist_ok=True)
        target.write(slug, record)
    return Merged(len(chosen), present)


def _records(store: Store) -> list[tuple[str, Record]]:
    """Name and record, those of finished runs first."""
    names = sorted(entry.name for entry in store.record_files())
    found = [(name.removesuffix(RECORD_SUFFIX), read(store.output / name)) for name in names]
    return sorted(found, key=lambda one: one[1].status != "done")
