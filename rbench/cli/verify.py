"""``rbench verify``: run a record's spec again and hold the numbers against it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    record: Annotated[Path, typer.Argument(help="a record's file")],
    data_dir: Annotated[
        str | None, typer.Option("--data-dir", help="where the data set's files are now")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda")] = "auto",
) -> None:
    """Repeat the run of a record; exit code 1 if a number does not hold."""
    from rbench.catalog import Catalog
    from rbench.cli.progress import Reporter
    from rbench.cli.run import _quiet_libraries
    from rbench.errors import UserError
    from rbench.record import read
    from rbench.resolve import resolve
    from rbench.spec import RunSpec, parse

    old = read(record)
    if old.status != "done":
        raise UserError(f"{record} is the record of a run that {old.status}: nothing to verify")
    fields = {**old.spec, "device": device}
    if data_dir:
        fields["data_dir"] = data_dir
    catalog = Catalog.from_environment()
    resolved = resolve(parse(RunSpec, fields, str(record)), catalog)
    if resolved.digest != old.digest:
        typer.echo(
            "note: the spec now has another digest: a component's revision, the data or the "
            "precision changed since",
            err=True,
        )
    _quiet_libraries()
    from rbench.execute import Execution, execute
    from rbench.verification import compare, same_environment

    with Reporter() as reporter:
        new = execute(resolved, Execution(progress=reporter, say=reporter.say))
    if new.status != "done":
        typer.echo(f"{new.status}: {new.error.message if new.error else ''}", err=True)
        raise typer.Exit(1)
    where = "same" if same_environment(old, new) else "another"
    typer.echo(f"{where} machine and versions")
    differences = compare(old, new)
    for line in differences:
        verdict = "holds" if line.holds else "DIFFERS"
        typer.echo(
            f"{line.name}: recorded {line.recorded}, now {line.measured}, "
            f"allowed ±{line.allowed:.3g}: {verdict}"
        )
    raise typer.Exit(0 if all(line.holds for line in differences) else 1)
