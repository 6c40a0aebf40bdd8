"""The command line's commands, one file each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from rbench.cli import (
    compare,
    components,
    data,
    diff,
    doctor,
    export,
    leaderboard,
    measure,
    new_plugin,
    new_suite,
    plan,
    plot,
    publish,
    results_folder,
    run,
    submit,
    sweep,
    tune,
    verify,
)
from rbench.cli.panels import Command, Group

RUN, REPORT, LOOK_UP = "Run", "Report", "Look up"

app = typer.Typer(
    name="rbench",
    cls=Group,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from rbench import __version__

        typer.echo(f"rbench {__version__}")
        raise typer.Exit


@app.callback(epilog="rbench COMMAND -h explains a command; rbench list shows what there is.")
def main(
    version: Annotated[
        bool,
        typer.Option("--version", help="print the version", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """How much of a vision network has to be learned?"""


def _add(name: str, function: Callable[..., None], panel: str, epilog: str | None = None) -> None:
    app.command(name, cls=Command, rich_help_panel=panel, epilog=epilog)(function)


_add("run", run.command, RUN, run.EPILOG)
_add("sweep", sweep.command, RUN, sweep.EPILOG)
_add("tune", tune.command, RUN, tune.EPILOG)
_add("plan", plan.command, RUN, plan.EPILOG)
_add("measure", measure.command, RUN, measure.EPILOG)
_add("verify", verify.command, RUN, verify.EPILOG)
_add("leaderboard", leaderboard.command, REPORT)
_add("compare", compare.command, REPORT)
_add("diff", diff.command, REPORT, diff.EPILOG)
_add("plot", plot.command, REPORT)
_add("export", export.command, REPORT)
_add("ls", results_folder.ls, REPORT)
_add("rm", results_folder.rm, REPORT)
_add("merge", results_folder.merge, REPORT)
_add("submit", submit.command, REPORT)
_add("publish", publish.command, REPORT, publish.EPILOG)
app.add_typer(data.app, name="data", rich_help_panel=LOOK_UP)
_add("list", components.list_command, LOOK_UP)
_add("show", components.show_command, LOOK_UP)
_add("plugins", components.plugins_command, LOOK_UP)
_add("doctor", doctor.command, LOOK_UP)
_add("new-suite", new_suite.command, LOOK_UP)
_add("new-plugin", new_plugin.command, LOOK_UP)
