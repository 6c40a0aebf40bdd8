"""``rbench plan``: what a sweep would execute, and what it would cost."""

from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rbench.cli.arguments import with_model_flags
from rbench.cli.completion import SUITE
from rbench.cli.watch import duration, plural
from rbench.sweep.suite_settings import SuiteSettings

if TYPE_CHECKING:
    from rbench.sweep.plan import Cost, Plan

EPILOG = """
Examples:

What is missing, and what it will cost by earlier records or a pilot of three steps:
  rbench plan p2_fig4_reduced

The same without executing anything, for two runs at the same time:
  rbench plan my_suite.toml --pilots 0 --slots 2
"""


@with_model_flags(SuiteSettings)
def command(
    suite: Annotated[str, SUITE],
    flags: dict[str, Any],
    slots: Annotated[
        int | None,
        typer.Option(
            "--slots",
            min=1,
            help="runs at the same time on one machine; default: one per CPU core, or per GPU",
            rich_help_panel="Cost",
        ),
    ] = None,
    pilots: Annotated[
        int,
        typer.Option(
            "--pilots",
            min=0,
            help="configurations without earlier records that are tried (default: 4)",
            show_default=False,
            rich_help_panel="Cost",
        ),
    ] = 4,
    as_json: Annotated[
        bool, typer.Option("--json", help="print JSON", rich_help_panel="Output")
    ] = False,
) -> None:
    """Show which runs of a suite are done, failed, running or missing, and what the rest will cost.

    The cost is that of earlier records of the same configuration on the same hardware; for a
    configuration without any it is measured by a pilot of three steps and up to 64 test images.
    """
    from rbench.plugin.catalog import Catalog
    from rbench.records.store import Store
    from rbench.report.suite_tables import check_tables
    from rbench.spec.parse import parse
    from rbench.sweep.executors.base import Settings
    from rbench.sweep.executors.local import slots_and_threads
    from rbench.sweep.job import RunJob
    from rbench.sweep.pilot import pilot
    from rbench.sweep.plan import make_plan
    from rbench.sweep.suite_settings import suite_runs
    from rbench.sweep.survey import survey

    # A plan of a hundred thousand runs keeps every object, so the collector would find nothing.
    gc.disable()
    which = parse(SuiteSettings, flags, "plan")
    selected = suite_runs(suite, which, Catalog.from_environment())
    check_tables(selected.suite)
    found = survey(selected.runs, Store(which.output))
    todo = found.to_run(retry_failed=which.retry_failed)
    settings = parse(Settings, {"output": which.output, "slots": slots}, "plan")
    at_once, threads = slots_and_threads(settings, [RunJob.of(run) for run in todo[:64]])
    left = pilots

    def measured(job: RunJob) -> Cost | None:
        nonlocal left
        if left <= 0:
            return None
        left -= 1
        typer.echo(f"pilot: {job.slug}", err=True)
        return pilot(job, threads)

    plan = make_plan(found, which.output, at_once, measured, retry=which.retry_failed)
    if as_json:
        names = [run.job().slug for run in selected.bad]
        typer.echo(json.dumps({**plan.to_json(), "unresolvable": names}, indent=1))
        return
    show(suite, plan, [str(run.error) for run in selected.bad])


def show(suite: str, plan: Plan, bad: list[str]) -> None:
    """Print a plan."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, soft_wrap=True)
    total = plan.done + plan.failed + plan.running + plan.missing + len(bad)
    parts = [f"{plan.done} done", f"{plan.missing} missing"]
    parts += [f"{plan.running} running now"] if plan.running else []
    parts += [f"{plan.failed} failed"] if plan.failed else []
    parts += [f"{len(bad)} cannot be executed here"] if bad else []
    console.print(f"{suite}: {plural(total, 'run')}: {', '.join(parts)}")
    if plan.failed and not plan.retried:
        console.print("failed runs are left out; --retry-failed includes them")
    for text in dict.fromkeys(bad):
        console.print(f"cannot be executed here: {text}")
    if not plan.configurations:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("to run, in this order", overflow="fold")
    for name in ("runs", "each", "memory"):
        table.add_column(name, justify="right")
    table.add_column("known from")
    for each in plan.configurations:
        cost = each.cost
        known = f"{cost.samples} records" if cost.source == "records" else cost.source
        time = "?" if cost.seconds is None else duration(cost.seconds)
        table.add_row(each.name, str(len(each.runs)), time, _bytes(cost.memory), known)
    console.print(table)
    if not plan.known:
        console.print(
            f"{plural(plan.to_run, 'run')} of unknown cost, {plan.slots} at the same time; "
            "--pilots 1 measures one"
        )
        return
    unknown = f", plus {plural(plan.unknown, 'run')} of unknown cost" if plan.unknown else ""
    needed = _bytes(plan.memory or None)
    if plan.memory and any(c.cost.memory is None for c in plan.configurations):
        needed = f"at least {needed}"
    console.print(
        f"about {duration(plan.seconds / plan.slots)} with {plan.slots} at the same time{unknown}; "
        f"memory {needed} of {_bytes(plan.memory_available)} free; "
        f"disk {_bytes(plan.disk)} with checkpoints"
    )


def _bytes(count: int | None) -> str:
    if count is None:
        return "?"
    if count < 2**20:
        return f"{count / 2**10:.1f} KiB"
    return f"{count / 2**20:.1f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"
