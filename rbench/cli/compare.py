"""``rbench compare``: what papers report against what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rbench.cli.completion import complete


def command(
    suite: Annotated[
        str | None,
        typer.Argument(
            help="a suite, a paper, or nothing for all papers", autocompletion=complete("suites")
        ),
    ] = None,
    records: Annotated[Path, typer.Option("--records", help="folder of records")] = Path("results"),
    measured: Annotated[
        bool, typer.Option("--measured", help="leave out what has no record")
    ] = False,
    summary: Annotated[bool, typer.Option("--summary", help="a short form, for a README")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Hold reported values and claims of the papers against records.

    A value has the verdict agrees, differs, not comparable (a reduced protocol) or not measured;
    a claim holds, does not hold, or lies within the noise.
    """
    import json

    from rbench.report.compare import baselines, report, to_json, to_markdown, to_summary
    from rbench.report.compare.papers_of_suite import papers_of
    from rbench.report.leaderboard import make_tables, read_rows

    papers = papers_of(suite)
    made = report(make_tables(read_rows(records), baselines()), papers)
    if as_json:
        typer.echo(json.dumps(to_json(made), indent=1, allow_nan=False))
    elif summary:
        typer.echo(to_summary(made), nl=False)
    else:
        typer.echo(to_markdown(made, unmeasured=not measured), nl=False)
