"""``rbench sweep``: all missing cells of a suite."""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from rbench.cli.completion import SUITE
from rbench.cli.watch import Watch


def _option(*names: str, help: str, panel: str = "What", **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, **more)


def command(
    suite: Annotated[
        str,
        SUITE,
    ],
    output: Annotated[Path, _option("--output", help="folder of records")] = Path("results"),
    data_dir: Annotated[
        str | None, _option("--data-dir", help="where the data set's files are")
    ] = None,
    device: Annotated[str, _option("--device", help="auto, cpu, cuda")] = "auto",
    deterministic: Annotated[
        bool, _option("--deterministic", help="deterministic kernels only")
    ] = False,
    only: Annotated[
        list[str] | None, _option("--only", help="cells such as model=resnet50,seed<2")
    ] = None,
    limit: Annotated[int | None, _option("--limit", min=0, help="run at most N cells")] = None,
    retry_failed: Annotated[
        bool, _option("--retry-failed", help="run failed cells again, too")
    ] = False,
    max_failures: Annotated[
        int | None, _option("--max-failures", min=1, help="stop after N failed cells")
    ] = None,
    executor: Annotated[
        str, _option("--executor", help="local, slurm, ray", panel="Where")
    ] = "local",
    slots: Annotated[
        int | None, _option("--slots", min=1, help="cells at a time on a machine", panel="Where")
    ] = None,
    threads: Annotated[
        int | None, _option("--threads", min=1, help="CPU threads of a cell", panel="Where")
    ] = None,
    time_limit: Annotated[
        float | None, _option("--time-limit", min=0, help="seconds for a cell", panel="Limits")
    ] = None,
    memory_limit: Annotated[
        float | None, _option("--memory-limit", min=0, help="GiB for a cell", panel="Limits")
    ] = None,
    retries: Annotated[
        int, _option("--retries", min=0, help="if a cell's process dies", panel="Limits")
    ] = 2,
    checkpoint_every: Annotated[
        int | None,
        _option("--checkpoint-every", min=0, help="steps; default: now and then", panel="Limits"),
    ] = None,
    wait: Annotated[
        bool, _option("--wait/--no-wait", help="for cells that run elsewhere", panel="Where")
    ] = True,
    patience: Annotated[
        float,
        _option("--patience", min=1, help="seconds until a silent machine is dead", panel="Where"),
    ] = 300.0,
    jobs: Annotated[int, _option("--jobs", min=1, help="at a time", panel="Cluster")] = 4,
    job_minutes: Annotated[
        int, _option("--job-minutes", min=1, help="time limit of a job", panel="Cluster")
    ] = 60,
    job_memory: Annotated[
        float, _option("--job-memory", min=0.1, help="GiB of a job", panel="Cluster")
    ] = 8.0,
    job_cpus: Annotated[int, _option("--job-cpus", min=1, help="of a job", panel="Cluster")] = 2,
    job_gpus: Annotated[int, _option("--job-gpus", min=0, help="of a job", panel="Cluster")] = 0,
    partition: Annotated[
        str | None, _option("--partition", help="Slurm partition", panel="Cluster")
    ] = None,
    cluster: Annotated[
        str | None,
        _option("--cluster", help="Ray's address; for Slurm slurm, local, debug", panel="Cluster"),
    ] = None,
) -> None:
    """Run the cells of a suite whose record is missing; a cell that fails stops no other.

    It can be killed at any moment and started again, also on several machines that share the
    folder: what is done is not repeated, and what was under way goes on from its checkpoint.
    """
    from rbench.cli.arguments import shareable
    from rbench.plugin.catalog import Catalog
    from rbench.records.store import Store
    from rbench.spec.parse import parse
    from rbench.spec.select import select
    from rbench.spec.suite_spec import read_suite
    from rbench.sweep.executors import Event, Settings
    from rbench.sweep.executors import executor as executor_of
    from rbench.sweep.job import RunJob
    from rbench.sweep.survey import resolve_each, survey

    overrides: dict[str, Any] = {"device": device}
    overrides |= {"data_dir": data_dir} if data_dir else {}
    overrides |= {"deterministic": True} if deterministic else {}
    catalog = Catalog.from_environment()
    specs = read_suite(suite).cells(overrides)
    cells, bad = resolve_each(specs, catalog)
    if bad and not cells:
        raise bad[0].error
    store = Store(output)
    store.check_writable()
    fields = {
        "output": output.resolve(),
        "slots": slots,
        "threads": threads,
        "time_limit": time_limit,
        "memory_limit": memory_limit,
        "checkpoint_every": checkpoint_every,
        "retries": retries,
        "max_failures": max_failures,
        "lease_seconds": patience,
        "wait": wait,
        "command": shareable(sys.argv[1:]),
        "jobs": jobs,
        "job_minutes": job_minutes,
        "job_memory": job_memory,
        "job_cpus": job_cpus,
        "job_gpus": job_gpus,
        "partition": partition,
        "cluster": cluster,
    }
    settings = parse(Settings, fields, "rbench sweep")
    chosen = executor_of(executor, settings)
    if only:
        cells, bad = select(cells, only), []
    found = survey(cells, store, patience)
    todo = (found.missing + found.failed if retry_failed else found.missing)[:limit]
    typer.echo(
        f"{suite}: {len(cells) + len(bad)} cells: {len(found.done)} done, "
        f"{len(found.failed)} failed, {len(todo)} to run",
        err=True,
    )
    for name in ("SIGTERM", "SIGUSR1", "SIGUSR2"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _terminated)
    with Watch(len(todo) + len(bad)) as watch:
        for cell in bad:
            _record_failure(cell.job(), cell.error, output)
            name = cell.job().slug
            watch(Event("failed", name, text=f"{type(cell.error).__name__}: {cell.error}"))
        try:
            chosen.run([RunJob.of(cell) for cell in todo], watch)
        except KeyboardInterrupt:
            typer.echo("interrupted; the same command goes on", err=True)
            raise typer.Exit(130) from None
        finally:
            _summarise(watch, output, len(found.failed) if not retry_failed else 0)
    raise typer.Exit(1 if watch.failed() or watch.count("stopped") else 0)


def _record_failure(job: Any, error: Exception, output: Path) -> None:
    from rbench.records.store import Store

    Store(output).write(job.slug, job.failed(type(error).__name__, str(error)))


def _summarise(watch: Watch, output: Path, earlier: int) -> None:
    from rbench.records.store import Store

    store = Store(output)
    counts = {"done": "done", "failed": "failed", "stopped": "not run"}
    parts = [f"{watch.count(k)} {text}" for k, text in counts.items() if watch.count(k)]
    nothing = "none run" if watch.total else "nothing to run"
    typer.echo(f"{', '.join(parts) or nothing}; records: {output}", err=True)
    for event in watch.failed():
        log = store.log(event.slug)
        typer.echo(f"failed: {store.record(event.slug)}: {event.text}", err=True)
        if log.exists():
            typer.echo(f"   log: {log}", err=True)
    if watch.failed() or earlier:
        words = [word for word in sys.argv[1:] if word != "--retry-failed"]
        again = shlex.join(["rbench", *words, "--retry-failed"])
        many = f"{earlier} cells failed earlier; " if earlier else ""
        typer.echo(f"{many}to run what failed again: {again}", err=True)


def _terminated(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)
