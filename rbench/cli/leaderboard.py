"""``rbench leaderboard``: records -> CSV, markdown and one page."""

from __future__ import annotations

import gc
import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from rbench.cli.records_arguments import DEFAULT
from rbench.errors import UserError


def command(
    records: Annotated[
        list[Path] | None,
        typer.Argument(help="folders of records, searched to their depth; none: results"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="folder to write; none: print the tables")
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
    as_csv: Annotated[bool, typer.Option("--csv", help="print CSV")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="print LaTeX tables")] = False,
    docs: Annotated[
        str | None,
        typer.Option("--docs", help="address of the documentation, for the page's link to it"),
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option("--parquet", help="write the CSV's lines to a Parquet file")
    ] = None,
) -> None:
    """Rank the records of folders, a table for each protocol.

    Without --output the tables are printed: fitted to a terminal's width, as markdown into a
    pipe. With it, the folder gets index.html (one page, works offline), tables/*.csv and
    tables/*.md; figures that rbench plot left in its folder figures/ are shown on the page. The
    same records give the same bytes.
    """
    from rbench.report.compare import baselines, papers, report, to_html
    from rbench.report.leaderboard import build, make_tables, read_folders, stale, write
    from rbench.report.leaderboard.build import FIGURES, between, documentation, read_pictures
    from rbench.report.leaderboard.table_csv import from_csv, to_csv
    from rbench.report.leaderboard.table_markdown import to_markdown
    from rbench.report.leaderboard.table_other import to_latex, to_parquet, to_terminal
    from rbench.report.leaderboard.titles import ordered

    if check and output is None:
        raise UserError("--check needs --output, the folder whose files are to be checked")
    # All of it is wanted to the end; looking for what is not takes a third of the time.
    gc.disable()
    rows, base = read_folders(records or [DEFAULT], skip_broken)
    tables = make_tables(rows, baselines())
    compared = report(tables, papers())
    tables = ordered(tables, compared.paper_protocols)
    if parquet is not None:
        to_parquet(tables, parquet)
    if as_json:
        typer.echo(json.dumps(from_csv(to_csv(tables)), indent=1, allow_nan=False))
    elif as_csv:
        typer.echo(to_csv(tables), nl=False)
    elif as_latex:
        typer.echo(to_latex(tables, top), nl=False)
    elif output is None and parquet is None:
        terminal = sys.stdout.isatty()
        typer.echo(to_terminal(tables, top) if terminal else to_markdown(tables, top), nl=False)
    if output is None:
        return
    figures = read_pictures(output / FIGURES)
    docs = documentation(output) if docs is None else docs
    files = build(tables, between(output, base), figures, to_html(compared), docs)
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
        folders = shlex.join(map(str, records or [DEFAULT]))
        typer.echo(f"make them again: rbench leaderboard {folders} --output {output}", err=True)
        raise typer.Exit(1)
