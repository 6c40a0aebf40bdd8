"""``rbench submit``: records into the leaderboards, once they have been checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    records: Annotated[list[Path], typer.Argument(help="records, or folders of them")],
    to: Annotated[Path, typer.Option("--to", help="folder of accepted records")] = Path(
        "leaderboards/records"
    ),
    check_only: Annotated[
        bool, typer.Option("--check", help="check the records and write nothing")
    ] = False,
) -> None:
    """Check records and lay them, with their pictures, into a folder.

    Checked are schema, digest, versions, fingerprints, ranges, pictures, and that no path, host
    or user name of yours is in them. All are checked before any is written.
    """
    from rbench.errors import UserError
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
        for file in files:
            check(file, words)
        typer.echo(f"{len(files)} records, all in order")
        return
    new = submit(files, to)
    typer.echo(f"{len(new)} new records in {to}, {len(files) - len(new)} were there already")
    if new:
        # Records may go to a folder of their own inside records/; the tables are made of all.
        whole = next((folder for folder in (to, *to.parents) if folder.name == "records"), to)
        typer.echo(f"next: rbench leaderboard {whole} --output {whole.parent}")
