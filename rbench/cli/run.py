"""``rbench run``: one configuration under one or several seeds."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from rbench.cli.arguments import fields_of, shareable, with_model_flags
from rbench.errors import UserError
from rbench.plugin.recipe import Training
from rbench.runner.quiet import quiet_libraries
from rbench.spec.run_settings import RunSettings
from rbench.spec.run_spec import RunSpec

EPILOG = """
Examples:

A first run, on the digits of scikit-learn, one minute on two cores:
  rbench run --model resnet18 --freeze-spatial

The same network with everything learnable, three seeds, another recipe:
  rbench run --model resnet18 --seeds 3 --recipe lowres --epochs 20 --lr 0.05

What would be drawn, frozen and learned, without training:
  rbench run --model resnet18 --freeze spatial norms --dry-run

Your own images in train/CLASS/ and test/CLASS/:
  rbench run --model resnet50 --dataset image_folder --data-dir pets --img-size 128
"""


@with_model_flags(RunSpec, Training, RunSettings)
def command(
    flags: dict[str, Any],
    freeze_spatial: Annotated[
        bool,
        typer.Option(
            "--freeze-spatial",
            help="short for --freeze spatial: convolutions with a kernel above 1x1 stay as "
            "initialized",
            rich_help_panel="Freezing",
        ),
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option("-c", "--config", help="read the run from this .toml file; flags win over it"),
    ] = None,
    dry: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="print tensor by tensor what would be drawn, frozen and learned; train nothing",
            rich_help_panel="Output",
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="print the records as JSON and nothing else", rich_help_panel="Output"
        ),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("-q", "--quiet", help="no progress, no notes", rich_help_panel="Output"),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v",
            "--verbose",
            help="show other packages' warnings, and the traceback of a failure",
            rich_help_panel="Output",
        ),
    ] = False,
) -> None:
    """Build a network, freeze a part of it, train it, measure it, and write a record."""
    from rbench.api import resolve_seeds, run_seeds, to_spec
    from rbench.cli.summary import show
    from rbench.plugin.catalog import Catalog
    from rbench.runner import preemption
    from rbench.runner.progress import Reporter
    from rbench.spec import registry
    from rbench.spec.parse import parse
    from rbench.sweep.run_or_load import process_rank

    settings = parse(RunSettings, fields_of(RunSettings, flags), "run")
    fields = registry.read_file(config) if config else {}
    fields |= fields_of(RunSpec, flags) | fields_of(Training, flags)
    fields |= {"freeze_spatial": True} if freeze_spatial else {}
    if "model" not in fields:
        raise UserError("--model is missing; rbench list models prints the names")
    catalog = Catalog.from_environment()
    spec = to_spec(fields, str(config) if config else "run")
    runs = resolve_seeds(spec, settings.seeds, catalog)
    main_process = process_rank() == 0
    with Reporter(quiet=quiet or as_json or not main_process) as reporter:
        preemption.install_handlers(
            *("SIGTERM", "SIGUSR1", "SIGUSR2"),
            on_ctrl_c=lambda: reporter.say("saving a checkpoint; Ctrl-C again ends at once"),
        )
        for plugin in catalog.failed:
            reporter.say(f"the plugin {plugin.name} could not be loaded: {plugin.error}")
        if not verbose:
            quiet_libraries()
        if dry:
            from rbench.cli.dry_run import dry_run

            dry_run(runs[0], reporter.say, as_json=as_json)
            raise typer.Exit
        from rbench.runner.execute import Execution

        execution = Execution(
            folder=settings.output,
            progress=reporter,
            on_message=reporter.say,
            plugins=catalog.plugins,
            command=shareable(sys.argv[1:]),
            save_weights=settings.save_weights,
            checkpoint_every=settings.checkpoint_every,
        )
        # A component that prints must not stand in the way of --json.
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            done = run_seeds(runs, settings, execution, reporter)
    if main_process and as_json:
        print(
            json.dumps([result.record.model_dump(mode="json") for result in done], allow_nan=False)
        )
    elif main_process:
        show(done, settings.output, verbose=verbose)
    statuses = {result.record.status for result in done}
    raise typer.Exit(130 if "interrupted" in statuses else 1 if "failed" in statuses else 0)
