"""``rbench plan``: what a sweep would run, and what it would cost."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from rbench.cli.completion import SUITE


def command(
    suite: Annotated[
        str,
        SUITE,
    ],
    output: Annotated[Path, typer.Option("--output", help="folder of records")] = Path("results"),
    data_dir: Annotated[
        str | None, typer.Option("--data-dir", help="where the data set's files are")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda")] = "auto",
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="deterministic kernels only")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="cells such as model=resnet50,seed<2")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="plan for failed cells, too")
    ] = False,
    slots: Annotated[
        int | None, typer.Option("--slots", min=1, help="cells at a time on a machine")
    ] = None,
    pilots: Annotated[
        int, typer.Option("--pilots", min=0, help="configurations to try for their cost")
    ] = 4,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Show which cells are done, failed, running or missing, and what the missing ones cost.

    The cost is that of earlier records on the same hardware in the folder; for a configuration
    without any, that of a pilot of three steps (the first --pilots of them).
    """
    from rbench.plugin.catalog import Catalog
    from rbench.records.store import Store
    from rbench.spec.parse import parse
    from rbench.spec.select import select
    from rbench.spec.suite_spec import read_suite
    from rbench.sweep.executors.base import Settings
    from rbench.sweep.executors.local import slots_and_threads
    from rbench.sweep.job import RunJob
    from rbench.sweep.pilot import pilot
    from rbench.sweep.plan import Cost, make_plan
    from rbench.sweep.survey import resolve_each, survey

    # All of it is wanted to the end; of a hundred thousand cells the collector would find none.
    gc.disable()
    overrides: dict[str, Any] = {"device": device}
    overrides |= {"data_dir": data_dir} if data_dir else {}
    overrides |= {"deterministic": True} if deterministic else {}
    cells, bad = resolve_each(read_suite(suite).cells(overrides), Catalog.from_environment())
    if bad and not cells:
        raise bad[0].error
    if only:
        cells = select(cells, only)
    found = survey(cells, Store(output))
    todo = found.missing + found.failed if retry_failed else found.missing
    jobs = [RunJob.of(cell) for cell in todo[:64]]
    settings = parse(Settings, {"output": output, "slots": slots}, "rbench plan")
    at_a_time, threads = slots_and_threads(settings, jobs)
    left = pilots

    def try_out(job: RunJob) -> Cost | None:
        nonlocal left
        if left <= 0:
            return None
        left -= 1
        typer.echo(f"pilot: {job.slug}", err=True)
        return pilot(job, threads)

    plan = make_plan(found, output, at_a_time, try_out, retry=retry_failed)
    if as_json:
        names = [cell.job().slug for cell in bad]
        typer.echo(json.dumps({**plan.to_json(), "unresolvable": names}, indent=1))
        return
    show(suite, plan, [str(cell.error) for cell in bad])


def show(suite: str, plan: Any, bad: list[str]) -> None:
    """Print a plan."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"{suite}: {plan.done} done, {plan.to_run} to run, {plan.failed} failed, "
        f"{plan.running} running now"
    )
    for text in dict.fromkeys(bad):
        console.print(f"cannot be run here: {text}")
    if not plan.configurations:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("to run, in this order", overflow="fold")
    for name in ("cells", "each", "memory"):
        table.add_column(name, justify="right")
    table.add_column("known from")
    for group in plan.configurations:
        cost = group.cost
        known = f"{cost.samples} records" if cost.source == "records" else cost.source
        table.add_row(
            group.name, str(len(group.runs)), _time(cost.seconds), _bytes(cost.memory), known
        )
    console.print(table)
    unknown = f", without {plan.unknown} cells of unknown cost" if plan.unknown else ""
    console.print(
        f"about {_time(plan.seconds / plan.slots)} with {plan.slots} at a time{unknown}; "
        f"memory {_bytes(plan.memory)} of {_bytes(plan.memory_available)} free; "
        f"disk {_bytes(plan.disk)} with checkpoints"
    )


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _bytes(count: int | None) -> str:
    if count is None:
        return "?"
    if count < 2**20:
        return f"{count / 2**10:.1f} KiB"
    return f"{count / 2**20:.1f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"
