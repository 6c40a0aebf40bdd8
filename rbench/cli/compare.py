"""``rbench compare``: what papers report against what was measured."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from rbench.cli.records_arguments import name_and_folders, old_records_option


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SUITE] [RECORDS]...",
            help="a suite or a paper (none: all papers), then folders of records (none: results)",
        ),
    ] = None,
    records: Annotated[str | None, old_records_option("compare SUITE")] = None,
    measured: Annotated[
        bool, typer.Option("--measured", help="leave out what has no record")
    ] = False,
    summary: Annotated[bool, typer.Option("--summary", help="a short form, for a README")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Compare what the papers report and claim with records.

    A value agrees, differs, is not comparable (a reduced protocol) or not measured. A claim
    holds, does not hold, is within the noise, or is not judged: at chance, too short (nothing
    has learned yet), too few seeds, or of runs that differ in another option.

    Examples: rbench compare; rbench compare p2_table1 results
    """
    from rbench.report.compare import baselines, report, to_json, to_markdown, to_summary
    from rbench.report.compare.papers_of_suite import papers_of
    from rbench.report.leaderboard import make_tables, read_folders

    name, folders = name_and_folders(words)
    papers = papers_of(name)
    made = report(make_tables(read_folders(folders)[0], baselines()), papers)
    if as_json:
        typer.echo(json.dumps(to_json(made), indent=1, allow_nan=False))
    elif summary:
        typer.echo(to_summary(made), nl=False)
    else:
        typer.echo(to_markdown(made, unmeasured=not measured), nl=False)
