"""``rbench verify``: run the specs of records again and hold the numbers against them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rbench.plugin.catalog import Catalog
    from rbench.records.record import Record
    from rbench.runner.progress import Reporter
    from rbench.spec.resolve import Resolved


def command(
    records: Annotated[list[Path], typer.Argument(help="records, or folders of them")],
    data_dir: Annotated[
        str | None, typer.Option("--data-dir", help="where the data set's files are now")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda")] = "auto",
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="repeat with deterministic kernels only")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="the first N records only")
    ] = None,
) -> None:
    """Repeat the runs of records; exit code 1 if a number does not hold.

    On the same machine and versions the numbers must be the same to the last digit on a CPU, and
    on a GPU if the run asked for --deterministic; elsewhere within a tolerance, which is printed.
    Of a folder, records of runs that failed are passed over.
    """
    from rbench.errors import UserError
    from rbench.plugin.catalog import Catalog
    from rbench.records.record import read
    from rbench.runner.progress import Reporter
    from rbench.runner.quiet import quiet_libraries

    found: list[tuple[Path, Record]] = []
    passed_over = 0
    for path in records:
        for file in sorted(path.rglob("[!.]*.json")) if path.is_dir() else [path]:
            record = read(file)
            if record.status == "done":
                found.append((file, record))
            elif path.is_dir():
                passed_over += 1
            else:
                raise UserError(
                    f"{file} is the record of a run that {record.status}: nothing to verify"
                )
    if not found:
        raise UserError(f"there is no record of a finished run in {records[0]}")
    found = found[:limit]
    catalog = Catalog.from_environment()
    quiet_libraries()
    overrides: dict[str, object] = {"device": device}
    overrides |= {"data_dir": data_dir} if data_dir else {}
    overrides |= {"deterministic": True} if deterministic else {}
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
                typer.echo(f"cannot be run here: {error}")
                holds = False
            if not holds:
                wrong.append(file)
    if len(found) > 1 or passed_over:
        ends = f"; {passed_over} of runs that did not end well passed over" if passed_over else ""
        typer.echo(f"{len(found) - len(wrong)} of {len(found)} records hold{ends}")
        for file in wrong:
            typer.echo(f"does not hold: {file}")
    raise typer.Exit(1 if wrong else 0)


def _verify(
    file: Path, old: Record, overrides: dict[str, object], catalog: Catalog, reporter: Reporter
) -> bool:
    from rbench.spec.parse import parse
    from rbench.spec.resolve import resolve
    from rbench.spec.run_spec import RunSpec

    resolved = resolve(parse(RunSpec, {**old.spec, **overrides}, str(file)), catalog)
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
        # Another number of threads adds in another order.
        torch.set_num_threads(threads)
    reporter.start("")
    new = execute(resolved, Execution(progress=reporter, say=reporter.say))
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
