"""``rbench ls``, ``rm`` and ``merge``: the records of a results folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rbench.cli.records_arguments import DEFAULT
from rbench.errors import UserError

if TYPE_CHECKING:
    from rbench.records.store import Store

Only = Annotated[
    list[str] | None, typer.Option("--only", help="conditions, such as model=resnet*,seed<2")
]
Folder = Annotated[Path, typer.Argument(help="folder of records")]


def ls(
    folder: Folder = DEFAULT,
    only: Only = None,
    sort: Annotated[str, typer.Option("--sort", help="column or metric to sort by")] = "name",
) -> None:
    """List the records of a folder, and the runs that are under way there, on any machine."""
    from rbench.sweep.locks import RunLocks

    store = _store(folder)
    found = _select(store, only)
    key = sort.replace("_kwargs.", ".", 1)
    # Numbers before texts before what is missing.
    found.sort(key=lambda row: _order(row.get(key)))
    for row in found:
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in row["metrics"].items())
        typer.echo(f"{row['name']}  {row['status']}  {row['seconds']:.0f} s  {numbers}".rstrip())
    owners = RunLocks(store).owners()
    for slug, owner in sorted(owners.items()):
        typer.echo(f"{slug}  running  {owner}")
    typer.echo(f"{len(found)} records, {len(owners)} running")


def rm(
    only: Annotated[list[str], typer.Option("--only", help="conditions, such as status=failed")],
    folder: Folder = DEFAULT,
    yes: Annotated[bool, typer.Option("--yes", help="delete; without it, only list")] = False,
) -> None:
    """Delete records that fit conditions, with their pictures, weights and predictions."""
    from rbench.sweep.locks import RunLocks

    store = _store(folder)
    names = [row["name"] for row in _select(store, only)]
    for slug, owner in RunLocks(store).owners().items():
        if slug in names:
            raise UserError(f"{slug} is being run by {owner}")
    for name in names:
        typer.echo(name)
    if not yes:
        raise UserError(f"nothing was deleted; add --yes to delete these {len(names)} records")
    for name in names:
        store.record(name).unlink(missing_ok=True)
        shutil.rmtree(store.artifacts(name), ignore_errors=True)
        store.discard_unfinished(name)
        store.discard_checkpoints(name)
        store.discard_log(name)
    typer.echo(f"{len(names)} records deleted")


def merge(
    source: Annotated[Path, typer.Argument(help="results folder to copy from")],
    folder: Annotated[Path, typer.Argument(help="results folder to copy into")] = DEFAULT,
) -> None:
    """Copy the records of another results folder, with their artifacts, into this one."""
    from rbench.records.merge import merge as copy
    from rbench.records.store import Store

    done = copy(_store(source), Store(folder))
    typer.echo(f"{done.copied} records copied to {folder}, {done.present} were there already")


def _store(folder: Path) -> Store:
    from rbench.records.store import Store

    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder")
    return Store(folder)


def _select(store: Store, only: list[str] | None) -> list[dict[str, Any]]:
    from rbench.records.record import read
    from rbench.spec.columns import columns
    from rbench.spec.conditions import holds, parse_conditions

    where = parse_conditions(only or [])
    rows = []
    for entry in sorted(store.record_files(), key=lambda entry: entry.name):
        record = read(Path(entry.path))
        values = {m.name: m.value for m in record.metrics if m.value is not None}
        row = {
            **values,
            **columns(record.resolved),
            "name": entry.name.removesuffix(".json"),
            "status": record.status,
            "seed": record.seed,
            "seconds": record.seconds,
            "metrics": values,
        }
        if holds(where, row.get):
            rows.append(row)
    return rows


def _order(value: Any) -> tuple[int, float, str]:
    if value is None:
        return 2, 0.0, ""
    if isinstance(value, int | float):
        return 0, float(value), ""
    return 1, 0.0, str(value)
