"""``rbench sweep``: all missing cells of a suite."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    suite: Annotated[str, typer.Argument(help="a suite's name, or a .toml file")],
    output: Annotated[Path, typer.Option("--output", help="folder of records")] = Path("results"),
    data_dir: Annotated[
        str | None, typer.Option("--data-dir", help="where the data set's files are")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda")] = "auto",
    limit: Annotated[int | None, typer.Option("--limit", help="run at most N cells")] = None,
) -> None:
    """Run the cells of a suite whose record is missing."""
    from rbench.catalog import Catalog
    from rbench.cells import check_writable
    from rbench.cli.arguments import shareable
    from rbench.cli.progress import Reporter
    from rbench.cli.run import _quiet_libraries
    from rbench.execute import Execution
    from rbench.sweep import load_suite, missing, resolve_suite, sweep

    overrides = {"device": device} | ({"data_dir": data_dir} if data_dir else {})
    catalog = Catalog.from_environment()
    cells = resolve_suite(load_suite(suite), catalog, overrides)
    check_writable(output)
    todo = missing(cells, output)[:limit]
    typer.echo(f"{suite}: {len(cells)} cells, {len(todo)} to run", err=True)
    _quiet_libraries()
    failed = 0
    with Reporter() as reporter:
        execution = Execution(
            folder=output,
            progress=reporter,
            say=reporter.say,
            plugins=catalog.plugins,
            command=shareable(sys.argv[1:]),
        )
        for number, cell in enumerate(sweep(todo, output, execution), start=1):
            reporter.start("")
            record = cell.record
            failed += record.status == "failed"
            error = f": {record.error.message}" if record.error else ""
            reporter.say(f"{number}/{len(todo)} {record.status} {cell.path}{error}")
            if record.status == "interrupted":
                raise typer.Exit(130)
    raise typer.Exit(1 if failed else 0)
