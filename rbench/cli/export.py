"""``rbench export``: a run's network as a folder that timm opens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    record: Annotated[Path, typer.Argument(help="a record whose run had --save-weights")],
    output: Annotated[Path, typer.Option("--output", help="an empty or new folder")] = Path(
        "exported"
    ),
    data_dir: Annotated[
        str | None, typer.Option("--data-dir", help="where the dataset's files are")
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(
            "--push", metavar="user/name", help="upload the folder to this model repository"
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="with --push: do it; otherwise only list the files")
    ] = False,
) -> None:
    """Write a run's network as a timm-loadable safetensors folder with a model card.

    LC-blocks are folded into plain convolutions. The folder is opened with timm and its logits
    are compared before it is left there.
    """
    from rbench.plugin.catalog import Catalog
    from rbench.runner.export import export

    done = export(record, output, Catalog.from_environment(), data_dir)
    typer.echo(f"{done.folder}: timm's {done.architecture}, logits within {done.moved:.1g}")
    typer.echo(done.opening)
    if push is not None:
        from rbench.report.publish import upload

        for name in upload(output, push, "model", dry_run=not yes):
            typer.echo(f"{'sent' if yes else 'would send'} {name} to {push}")
        if not yes:
            typer.echo("nothing was sent; add --yes to do it")
