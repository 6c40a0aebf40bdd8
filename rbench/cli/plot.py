"""``rbench plot``: a suite's declared figures, from records alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rbench.cli.arguments import assignments
from rbench.cli.completion import SUITE
from rbench.cli.records_arguments import DEFAULT, old_records_option
from rbench.errors import UserError


def command(
    suite: Annotated[
        str,
        SUITE,
    ],
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RECORDS]...", help="folders of records; none: results"),
    ] = None,
    records: Annotated[str | None, old_records_option("plot SUITE")] = None,
    output: Annotated[Path, typer.Option("--output", help="folder of figures")] = Path("figures"),
    extension: Annotated[
        str | None,
        typer.Option("--format", help="svg, png, webp, pdf; none: what suits it"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="fields that the sweep replaced, such as training.epochs=5"),
    ] = None,
) -> None:
    """Draw every figure that a suite declares, from records.

    Writes one file for each figure and index.json, which rbench leaderboard reads. A suite with a
    [tune] table also gets a figure for each tuned option. A figure without records is named and
    skipped; exit code 1 if none could be drawn.
    """
    from rbench.cli.watch import plural
    from rbench.files import write_atomically
    from rbench.report.compare import reported_value
    from rbench.report.plot import draw, figures
    from rbench.report.plot.records_of_suite import suite_items, update_index
    from rbench.report.plot.tuning import tuning_figures
    from rbench.spec.suite_spec import read_suite

    declared = read_suite(suite)
    wanted = figures(declared.figure, f"suite {declared.name}")
    wanted += tuning_figures(declared, wanted)
    if not wanted:
        raise UserError(f"the suite {declared.name} declares no figure")
    overrides = assignments("--set", settings)
    items = [
        item for folder in folders or [DEFAULT] for item in suite_items(declared, folder, overrides)
    ]
    found = list({item.record.digest: item for item in items}.values())
    drawn = [draw(figure, found, extension, reported_value) for figure in wanted]
    for one in drawn:
        where = one.figure.name
        if one.content is not None:
            where = str(output / one.file)
            write_atomically(output / one.file, one.content)
        notes = "".join(f"; {note}" for note in one.notes)
        typer.echo(f"{where}: {plural(one.records, 'record')}{notes}", err=True)
    made = [one for one in drawn if one.content is not None]
    if made:
        update_index(output, declared.name, drawn)
    raise typer.Exit(0 if made else 1)
