"""``rbench verify``: repeat the runs of records and compare the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rbench.cli.arguments import with_model_flags
from rbench.errors import UserError
from rbench.sweep.suite_settings import MachineSettings

if TYPE_CHECKING:
    from rbench.plugin.catalog import Catalog
    from rbench.records.record import Record
    from rbench.runner.progress import Reporter
    from rbench.spec.resolve import Resolved


EPILOG = """
Examples:

One record:
  rbench verify results/resnet18-spatial-digits-s0-0123456789.json

The first ten records of a folder:
  rbench verify leaderboards/records --max-records 10
"""


@with_model_flags(MachineSettings)
def command(
    records: Annotated[list[Path], typer.Argument(help="records, or folders of records")],
    flags: dict[str, Any],
    max_records: Annotated[
        int | None,
        typer.Option("--max-records", min=1, help="at most this many", rich_help_panel="Records"),
    ] = None,
) -> None:
    """Repeat the runs of records and compare the numbers; exit code 1 if one does not hold.

    On the same machine with the same versions the numbers must be equal to the last digit on a
    CPU, and on a GPU if the run used --deterministic; otherwise within a tolerance, which is
    printed. In folders, records of runs that failed are skipped.
    """
    from rbench.plugin.catalog import Catalog
    from rbench.records.record import read
    from rbench.runner.progress import Reporter
    from rbench.runner.quiet import quiet_libraries
    from rbench.spec.parse import parse

    found: list[tuple[Path, Record]] = []
    skipped = 0
    for path in records:
        for file in sorted(path.rglob("[!.]*.json")) if path.is_dir() else [path]:
            record = read(file)
            if record.status == "done":
                found.append((file, record))
            elif path.is_dir():
                skipped += 1
            else:
                raise UserError(
                    f"{file}: status {record.status}; only the record of a run that is done can be "
                    "verified"
                )
    if not found:
        raise UserError(f"there is no record of a finished run in {records[0]}")
    found = found[:max_records]
    catalog = Catalog.from_environment()
    quiet_libraries()
    overrides = parse(MachineSettings, flags, "verify").overrides()
    wrong: list[Path] = []
    with Reporter() as reporter:
        for file, record in found:
            if len(found) > 1:
                typer.echo(f"{file}:")
            try:
                holds = _verify(file, record, overrides, catalog, reporter)
            except UserError as error:
                if len(found) == 1:
                    raise
                typer.echo(f"cannot be executed here: {error}")
                holds = False
            if not holds:
                wrong.append(file)
    if len(found) > 1 or skipped:
        ends = f"; skipped {skipped} of runs that are not done" if skipped else ""
        typer.echo(f"{len(found) - len(wrong)} of {len(found)} records hold{ends}")
        for file in wrong:
            typer.echo(f"does not hold: {file}")
    raise typer.Exit(1 if wrong else 0)


def _check_loose(file: Path, old: Record, now: dict[str, str]) -> None:
    """UserError where a plugin file of the record has changed."""
    before = old.resolved.get("loose")
    for name, sha256 in (before if isinstance(before, dict) else {}).items():
        if now.get(name) != sha256:
            raise UserError(
                f"{file} was made with {name} of SHA-256 {str(sha256)[:12]}..., and the file here "
                "has changed since; --plugin names the file as it was"
            )


def _verify(
    file: Path, old: Record, overrides: dict[str, Any], catalog: Catalog, reporter: Reporter
) -> bool:
    from rbench.spec.parse import parse
    from rbench.spec.resolve import resolve
    from rbench.spec.run_spec import RunSpec

    resolved = resolve(parse(RunSpec, {**old.spec, **overrides}, str(file)), catalog)
    _check_loose(file, old, resolved.identity.get("loose", {}))
    if resolved.digest != old.digest:
        typer.echo(
            "note: the spec now has another digest: a component's revision, the data, the "
            "precision or --deterministic changed since",
            err=True,
        )
    import torch

    from rbench.runner.execute import Execution, execute
    from rbench.runner.verify import compare, same_environment

    if not _same_data(old, resolved):
        return False
    threads = old.environment.get("threads")
    if isinstance(threads, int) and resolved.device == "cpu":
        # Another number of threads adds in another order, which rounds differently.
        torch.set_num_threads(threads)
    reporter.start("")
    new = execute(resolved, Execution(progress=reporter, on_message=reporter.say))
    if new.status != "done":
        typer.echo(f"{new.status}: {new.error.message if new.error else ''}", err=True)
        if new.status == "interrupted":
            raise KeyboardInterrupt
        return False
    where = "same" if same_environment(old, new) else "another"
    typer.echo(f"{where} machine and versions")
    differences = compare(old, new)
    for line in differences:
        verdict = "holds" if line.holds else "DIFFERS"
        typer.echo(
            f"{line.name}: recorded {line.recorded}, now {line.measured}, "
            f"allowed ±{line.allowed:.3g}: {verdict}"
        )
    return all(line.holds for line in differences)


def _same_data(old: Record, resolved: Resolved) -> bool:
    """Whether the data is the record's; where it is not, nothing needs to be trained to say so."""
    from rbench.runner.load_data import open_data

    if old.data is None:
        return True
    revision = open_data(resolved)[0].revision
    if revision == old.data.revision:
        return True
    typer.echo(
        f"the data differs: recorded {old.data.name} {old.data.revision}, now {revision}", err=True
    )
    # Versions of packages are not contents: their images may well be the same.
    return " " in old.data.revision
