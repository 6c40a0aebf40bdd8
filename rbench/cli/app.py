"""The command line's commands, one file each."""

from __future__ import annotations

import typer

from rbench.cli import (
    compare,
    components,
    doctor,
    export,
    leaderboard,
    new_plugin,
    plan,
    plot,
    reference,
    run,
    submit,
    sweep,
    verify,
)

app = typer.Typer(
    name="rbench",
    help="How much of a vision network has to be learned?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run.command)
app.command("plan")(plan.command)
app.command("sweep")(sweep.command)
app.command("list")(components.list_command)
app.command("show")(components.show_command)
app.command("plugins")(components.plugins_command)
app.command("leaderboard")(leaderboard.command)
app.command("compare")(compare.command)
app.command("plot")(plot.command)
app.command("submit")(submit.command)
app.command("export")(export.command)
app.command("verify")(verify.command)
app.command("new-plugin")(new_plugin.command)
app.command("reference")(reference.command)
app.command("doctor")(doctor.command)
