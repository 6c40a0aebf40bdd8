"""``rbench reference``: the pages that are generated from the code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    write: Annotated[bool, typer.Option("--write", help="write the pages")] = False,
    check: Annotated[bool, typer.Option("--check", help="exit 1 if a page is stale")] = False,
    folder: Annotated[Path, typer.Option("--folder", help="rbench's checkout")] = Path(),
) -> None:
    """Print, write or check the reference: hooks, components, options, record and column names."""
    from rbench.report import reference

    if check:
        wrong = reference.stale(folder)
        for name in wrong:
            typer.echo(f"stale: {folder / name}; make it again: rbench reference --write", err=True)
        raise typer.Exit(1 if wrong else 0)
    if write:
        for name in reference.write(folder):
            typer.echo(str(folder / name))
        return
    for text in reference.pages().values():
        typer.echo(text, nl=False)
