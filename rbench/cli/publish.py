"""``rbench publish``: records to a branch of rbench's repository, or to the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rbench.errors import UserError


def command(
    records: Annotated[list[Path], typer.Argument(help="records, or folders of them")],
    branch: Annotated[
        str | None,
        typer.Option("--branch", help="put the records on this new branch and push it"),
    ] = None,
    pull_request: Annotated[
        bool, typer.Option("--pull-request", help="with --branch: open a pull request with gh")
    ] = False,
    hub: Annotated[
        str | None,
        typer.Option("--hub", metavar="user/name", help="upload to this dataset on the Hub"),
    ] = None,
    repository: Annotated[
        Path, typer.Option("--repository", help="a checkout of rbench for --branch")
    ] = Path(),
    remote: Annotated[str, typer.Option("--remote", help="where --branch is pushed")] = "origin",
    yes: Annotated[
        bool, typer.Option("--yes", help="do it; without --yes only print what would be done")
    ] = False,
) -> None:
    """Publish records as a branch with a pull request, or as a dataset on the Hub.

    Without --yes nothing is sent: the commands, or the names of the files, are printed.
    """
    from rbench.report.publish import branch_plan, carry_out, upload

    if branch is None and hub is None:
        raise UserError("say where to: --branch NAME, or --hub user/name")
    if pull_request and branch is None:
        raise UserError("--pull-request needs --branch NAME")
    missing = [str(path) for path in records if not path.exists()]
    if missing:
        raise UserError(f"there is no {missing[0]}")
    if branch is not None:
        plan = branch_plan(records, repository, branch, remote, pull_request)
        if yes:
            carry_out(plan, typer.echo)
        else:
            for step in plan:
                typer.echo(str(step))
    if hub is not None:
        for folder in records:
            if not folder.is_dir():
                raise UserError(f"--hub uploads folders; {folder} is a file")
            for name in upload(folder, hub, "dataset", dry_run=not yes):
                typer.echo(f"{'sent' if yes else 'would send'} {name} to {hub}")
    if not yes:
        typer.echo("nothing was sent; add --yes to do it")


EPILOG = """Examples:

What would be sent, as a branch with a pull request:
  rbench publish results --branch my-records --pull-request

Records to a dataset on the Hub:
  rbench publish results --hub user/rbench-records --yes
"""
