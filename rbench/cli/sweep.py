"""``rbench sweep``: execute the runs of a suite that have no record yet."""

from __future__ import annotations

import shlex
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from rbench.cli.arguments import fields_of, shareable, with_model_flags
from rbench.cli.completion import EXECUTOR, SUITE
from rbench.cli.watch import Watch, plural
from rbench.sweep.executors.base import Settings, asks_for_gpus
from rbench.sweep.suite_settings import SuiteSettings

if TYPE_CHECKING:
    from rbench.records.store import Store
    from rbench.sweep.executors import Executor
    from rbench.sweep.job import RunJob

EPILOG = """
Examples:

A small suite on two cores, then its table:
  rbench sweep p2_fig4_reduced --slots 2 && rbench leaderboard results

Again what failed, for one model and the first two seeds:
  rbench sweep my_suite.toml --retry-failed --only model=resnet50 'seed<2'

On Slurm, eight jobs of one GPU each; --dry-run prints the job file:
  rbench sweep my_suite.toml --executor slurm --jobs 8 --job-gpus 1 --slurm account=abc qos=long
"""


@with_model_flags(SuiteSettings, Settings)
def command(
    suite: Annotated[str, SUITE],
    flags: dict[str, Any],
    max_runs: Annotated[
        int | None,
        typer.Option(
            "--max-runs", min=0, help="execute at most this many runs", rich_help_panel="Runs"
        ),
    ] = None,
    executor: Annotated[str, EXECUTOR] = "local",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="execute nothing; print the runs, or with --executor slurm the job file",
            rich_help_panel="Output",
        ),
    ] = False,
) -> None:
    """Execute the runs of a suite that have no record yet.

    A run that fails does not stop the others. A sweep can be killed at any time and started again,
    also on several machines that share the results folder: runs that are done are not repeated,
    and a run that was interrupted continues from its checkpoint.
    """
    raise typer.Exit(execute_suite(suite, flags, max_runs, executor, dry_run))


@dataclass(frozen=True)
class Asked:
    """What the user asked for: which runs, and how they are executed."""

    which: SuiteSettings
    how: Settings


def asked(suite: str, flags: dict[str, Any], executor: str, command: str = "sweep") -> Asked:
    """The flags of ``rbench sweep`` or ``rbench tune``. UserError where they are wrong."""
    from rbench.spec.parse import parse
    from rbench.spec.suite_spec import read_suite
    from rbench.sweep.executors.slurm_options import slurm_options

    which = parse(SuiteSettings, fields_of(SuiteSettings, flags), command)
    fields = {**fields_of(Settings, flags), "command": shareable(sys.argv[1:])}
    how = parse(Settings, {**fields, "output": which.output.resolve()}, command)
    if executor == "slurm":
        slurm = slurm_options(how.slurm, how.slurm_setup, read_suite(suite).slurm)
        update = {"slurm": slurm.options, "slurm_setup": list(slurm.setup)}
        how = how.model_copy(update=update)
    elsewhere = executor in ("slurm", "ray") and asks_for_gpus(how)
    return Asked(which.model_copy(update={"gpus_elsewhere": elsewhere}), how)


def execute_suite(
    suite: str, flags: dict[str, Any], max_runs: int | None, executor: str, dry_run: bool
) -> int:
    """Execute the runs that ``flags`` select; the command's exit code. SystemExit where asked."""
    from rbench.plugin.catalog import Catalog
    from rbench.records.store import Store
    from rbench.report.suite_tables import check_tables
    from rbench.sweep.executors import Event
    from rbench.sweep.executors import executor as executor_of
    from rbench.sweep.suite_settings import suite_runs
    from rbench.sweep.survey import survey

    what = asked(suite, flags, executor)
    which, settings, store = what.which, what.how, Store(what.which.output)
    selected = suite_runs(suite, which, Catalog.from_environment())
    check_tables(selected.suite)
    chosen = executor_of(executor, settings)
    found = survey(selected.runs, store, settings.lease_seconds)
    jobs = found.jobs(store, retry_failed=which.retry_failed)[:max_runs]
    if dry_run:
        _show_dry_run(chosen, jobs)
        return 0
    store.check_writable()
    store.discard_leftovers(run.slug for run in found.done)
    typer.echo(
        f"{suite}: {plural(selected.total, 'run')}: {len(found.done)} done, "
        f"{len(found.failed)} failed, {len(jobs)} to run",
        err=True,
    )
    watch = Watch(len(jobs) + len(selected.bad))
    _handle_signals(watch)
    ended: BaseException | None = None
    with watch:
        for run in selected.bad:
            job, reason = run.job(), f"{type(run.error).__name__}: {run.error}"
            store.write(job.slug, job.failed(type(run.error).__name__, str(run.error)))
            watch(Event("failed", job.slug, text=reason))
        try:
            chosen.run(jobs, watch)
        except (KeyboardInterrupt, SystemExit) as error:
            ended = error
    _summarize(watch, store)
    if ended is not None:
        _say_how_to_continue(watch, store)
        if isinstance(ended, KeyboardInterrupt):
            return 130
        raise ended
    _say_what_is_next(watch, store, 0 if which.retry_failed else len(found.failed))
    return 1 if watch.failed() or watch.count("stopped") else 0


def _handle_signals(watch: Watch) -> None:
    """End by exceptions, so that workers can save; the second Ctrl-C does not wait for that."""

    def interrupted(number: int, frame: object) -> NoReturn:
        watch.say("interrupted: saving what is under way; Ctrl-C again ends at once")
        raise KeyboardInterrupt

    def terminated(number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    # What a shell starts in the background ignores Ctrl-C, and so do we then.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupted)
    for name in ("SIGTERM", "SIGUSR1", "SIGUSR2"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), terminated)


def _show_dry_run(chosen: Executor, jobs: list[RunJob]) -> None:
    from rbench.sweep.executors.slurm import Slurm

    if isinstance(chosen, Slurm) and jobs:
        typer.echo(chosen.job_file(jobs))
        return
    for job in jobs:
        typer.echo(job.slug)
    typer.echo(f"{plural(len(jobs), 'run')} to execute", err=True)


def _summarize(watch: Watch, store: Store) -> None:
    counts = {"done": "done", "failed": "failed", "stopped": "not executed"}
    parts = [f"{watch.count(k)} {text}" for k, text in counts.items() if watch.count(k)]
    nothing = "no run was finished" if watch.total else "nothing to run"
    typer.echo(f"{', '.join(parts) or nothing} in {watch.elapsed()}; {store.output}", err=True)
    for event in watch.failed():
        log = store.log(event.slug)
        typer.echo(f"failed: {store.record(event.slug)}: {event.text}", err=True)
        if log.exists():
            typer.echo(f"   log: {log}", err=True)


def _say_how_to_continue(watch: Watch, store: Store) -> None:
    """After an interruption: what is saved, and the command that continues."""
    running = list(watch.running)
    saved = sum(any(store.checkpoints(slug).glob("*/step-*.facts")) for slug in running)
    left = watch.total - len(watch.ended)
    if running:
        typer.echo(
            f"{plural(len(running), 'run')} interrupted: {saved} saved a checkpoint and will "
            f"continue from it, {len(running) - saved} will start again",
            err=True,
        )
    again = shlex.join(["rbench", *sys.argv[1:]])
    typer.echo(f"{plural(left, 'run')} left; to continue: {again}", err=True)


def _say_what_is_next(watch: Watch, store: Store, failed_before: int) -> None:
    if watch.failed() or failed_before:
        words = [word for word in sys.argv[1:] if word != "--retry-failed"]
        again = shlex.join(["rbench", *words, "--retry-failed"])
        before = f"{plural(failed_before, 'run')} failed before; " if failed_before else ""
        typer.echo(f"{before}to run again what failed: {again}", err=True)
    if any(store.record_files()):
        typer.echo(f"next: {shlex.join(['rbench', 'leaderboard', str(store.output)])}", err=True)
