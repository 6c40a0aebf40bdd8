"""``rbench new-plugin``: a package of one's own to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    name: Annotated[str, typer.Argument(help="such as my-filters")],
    output: Annotated[
        Path | None, typer.Option("--output", help="folder; none: ./rbench-NAME")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="a plugin file to make the package of")
    ] = None,
) -> None:
    """Write a plugin package with an architecture, an initializer, a metric and its test."""
    from rbench.plugin.scaffold import new_plugin

    folder = new_plugin(name, output, source)
    typer.echo(f"{folder}: try it with")
    typer.echo(f"  pip install -e '{folder}[test]' && pytest {folder} && rbench plugins")
