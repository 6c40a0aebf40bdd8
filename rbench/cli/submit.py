"""``rbench submit``: records into the leaderboards, once they have been checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rbench.errors import UserError


def command(
    records: Annotated[list[Path], typer.Argument(help="records, or folders of them")],
    to: Annotated[Path, typer.Option("--to", help="folder of accepted records")] = Path(
        "leaderboards/records"
    ),
    check_only: Annotated[
        bool, typer.Option("--check", help="check the records and write nothing")
    ] = False,
    allow_reduced: Annotated[
        bool, typer.Option("--allow-reduced", help="accept runs of one epoch or with --limit")
    ] = False,
) -> None:
    """Check records and copy them, with their pictures, into a folder.

    Schema, digest, versions, fingerprints, ranges and pictures are checked, and that the records
    contain no path, host name or user name of yours. Nothing is written unless all records pass;
    records of failed and interrupted runs are skipped.
    """
    from rbench.report.leaderboard.reader import record_files
    from rbench.report.leaderboard.submission import check, private_words, submit

    files: list[Path] = []
    for path in records:
        found = [path / name for name in sorted(record_files(path))] if path.is_dir() else [path]
        if not found:
            raise UserError(f"there is no record in {path}")
        files += found
    if check_only:
        words = private_words()
        refused = []
        for file in files:
            try:
                check(file, words)
            except UserError as error:
                refused.append(str(error))
        if refused:
            raise UserError("\n".join(refused))
        typer.echo(f"{len(files)} records, all in order")
        return
    done = submit(files, to, allow_reduced=allow_reduced)
    new = done.new
    typer.echo(f"{len(new)} new records in {to}, {done.present} were there already")
    if done.unfinished:
        typer.echo(f"{done.unfinished} records of failed or interrupted runs were skipped")
    if new:
        # Records may go to a folder of their own inside records/; the tables are made of all.
        whole = next((folder for folder in (to, *to.parents) if folder.name == "records"), to)
        typer.echo(f"next: rbench leaderboard {whole} --output {whole.parent}")
