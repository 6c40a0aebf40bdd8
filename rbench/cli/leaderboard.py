"""``rbench leaderboard``: records -> CSV, markdown and one page."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated

import typer


def command(
    records: Annotated[Path, typer.Argument(help="folder of records, searched to its depth")],
    output: Annotated[
        Path | None, typer.Option("--output", help="folder to write; none: print markdown")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="write nothing; exit 1 if a file in --output is stale")
    ] = False,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="rows of each printed table")
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="leave out records that cannot be read")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the tables as JSON")] = False,
) -> None:
    """Rank the records of a folder, a table for each protocol.

    Without --output the tables are printed as markdown. With it, the folder gets index.html
    (one page, works offline), tables/*.csv and tables/*.md; figures that rbench plot left in its
    folder figures/ are shown on the page. The same records give the same bytes.
    """
    import json

    from rbench.errors import UserError
    from rbench.report.compare import baselines, papers, report, to_html
    from rbench.report.leaderboard import build, make_tables, read_rows, stale, write
    from rbench.report.leaderboard.build import FIGURES, between, read_pictures
    from rbench.report.leaderboard.table_csv import from_csv, to_csv
    from rbench.report.leaderboard.table_markdown import to_markdown

    if check and output is None:
        raise UserError("--check needs --output, the folder whose files are to be checked")
    # All of it is wanted to the end; looking for what is not takes a third of the time.
    gc.disable()
    rows = read_rows(records, skip_broken)
    tables = make_tables(rows, baselines())
    if as_json:
        typer.echo(json.dumps(from_csv(to_csv(tables)), indent=1, allow_nan=False))
    elif output is None:
        typer.echo(to_markdown(tables, top), nl=False)
    if output is None:
        return
    figures = read_pictures(output / FIGURES)
    files = build(tables, between(output, records), figures, to_html(report(tables, papers())))
    if not check:
        write(output, files)
        typer.echo(
            f"{len(rows)} records, {len(tables)} protocols: {output / 'index.html'}", err=True
        )
        return
    wrong = stale(output, files)
    for name in wrong:
        typer.echo(f"stale: {output / name}", err=True)
    if wrong:
        typer.echo(f"make them again: rbench leaderboard {records} --output {output}", err=True)
        raise typer.Exit(1)
