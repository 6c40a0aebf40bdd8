"""``rbench tune``: execute the trials of a suite and choose the best values."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rbench.cli.arguments import with_model_flags
from rbench.cli.completion import EXECUTOR, SUITE
from rbench.sweep.executors.base import Settings
from rbench.sweep.suite_settings import SuiteSettings

if TYPE_CHECKING:
    from rbench.sweep.tune import Arm

EPILOG = """
Examples:

Find the best learning rate of every configuration, then run each with its own:
  rbench tune p2_step_size_tuned_reduced --data-dir ~/data/cifar10
  rbench sweep p2_step_size_tuned_reduced --data-dir ~/data/cifar10 --tuned
"""


@with_model_flags(SuiteSettings, Settings)
def command(
    suite: Annotated[str, SUITE],
    flags: dict[str, Any],
    executor: Annotated[str, EXECUTOR] = "local",
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="execute nothing; print the runs", rich_help_panel="Output"),
    ] = False,
) -> None:
    """Try the same values of the tuned options for every configuration of a suite.

    The suite's table [tune] names the options, their ranges, and the score, a metric on the
    validation split. Trials that have a record are not repeated, and the test split is not used.
    rbench sweep SUITE --tuned then runs each configuration with its best values.
    """
    from rbench.cli.sweep import asked, execute_suite
    from rbench.plugin.catalog import Catalog
    from rbench.records.store import Store
    from rbench.spec.suite_spec import read_suite
    from rbench.sweep.tune import tune

    which = asked(suite, flags, executor, "tune").which
    code = execute_suite(suite, {**flags, "trials": True}, None, executor, dry_run)
    # A trial that diverged has no score; the others go on.
    if not dry_run and code in (0, 1) and not which.only:
        arms = tune(
            read_suite(suite),
            which.overrides(),
            Store(which.output),
            Catalog.from_environment(),
            gpus_elsewhere=which.gpus_elsewhere,
        )
        for line in table(arms):
            typer.echo(line)
        words = [word for word in sys.argv[1:] if word != "tune"]
        drawn = shlex.join(["rbench", "plot", suite, str(which.output)])
        typer.echo(f"next: {shlex.join(['rbench', 'sweep', *words, '--tuned'])}", err=True)
        typer.echo(f"scores by value: {drawn}", err=True)
        code = 0
    raise typer.Exit(code)


def table(arms: list[Arm]) -> list[str]:
    """A line for each configuration, and a warning for each best value at the edge of its range."""
    width = max(len(arm.name) for arm in arms)
    lines = [f"{'configuration':{width}}  best {arms[0].tuning.select:12}  values"]
    for arm in arms:
        values = " ".join(f"{name}={value:g}" for name, value in arm.tuning.chosen.items())
        lines.append(f"{arm.name:{width}}  {arm.tuning.score:17.4g}  {values}")
    for arm in arms:
        for name in arm.tuning.at_edge:
            axis = arm.tuning.axes[name]
            lines.append(
                f"warning: {arm.name}: the best {name} is at the edge of what was tried "
                f"({axis['low']} to {axis['high']}); a better one may lie beyond"
            )
    return lines
