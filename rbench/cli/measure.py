"""``rbench measure``: other metrics of runs that kept their weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rbench.cli.arguments import shareable, table, with_model_flags
from rbench.sweep.suite_settings import MachineSettings

EPILOG = """
Example:

Train once, then attack the same network:
  rbench run --model resnet18 --metrics top1 --save-weights
  rbench measure results --metrics fgsm --metric-kwargs fgsm.epsilons=[1/255,2/255]
"""


@with_model_flags(MachineSettings)
def command(
    records: Annotated[list[Path], typer.Argument(help="records, or folders of records")],
    flags: dict[str, Any],
    metrics: Annotated[
        list[str], typer.Option("--metrics", metavar="values...", help="metrics to measure")
    ],
    metric_kwargs: Annotated[
        list[str] | None,
        typer.Option("--metric-kwargs", metavar="metric.name=value...", help="their options"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="results folder; default: the record's own")
    ] = None,
) -> None:
    """Measure saved weights with other metrics, without training again.

    Each run becomes a new record that names its parent and equals that of a run that had asked
    for these metrics. The runs must have kept their weights (--save-weights).
    """
    from rbench.cli.summary import show
    from rbench.plugin.catalog import Catalog
    from rbench.records.store import Store
    from rbench.runner.execute import Execution
    from rbench.runner.measure import parents, with_metrics
    from rbench.runner.progress import Reporter
    from rbench.runner.quiet import quiet_libraries
    from rbench.spec.parse import parse
    from rbench.sweep.run_or_load import run_or_load

    catalog = Catalog.from_environment()
    changes = parse(MachineSettings, flags, "measure").overrides()
    changes["metrics"] = [part for word in metrics for part in word.split(",") if part]
    changes["metric_kwargs"] = table("--metric-kwargs", metric_kwargs)
    runs = [
        (file, parent, with_metrics(parent, changes, catalog, str(file)))
        for file, parent in parents(records)
    ]
    quiet_libraries()
    code = 0
    with Reporter() as reporter:
        done = []
        for file, parent, resolved in runs:
            folder = output or file.parent
            Store(folder).check_writable()
            reporter.start(f"{resolved.spec.model}, seed {resolved.spec.seed}")
            execution = Execution(
                folder=folder,
                progress=reporter,
                on_message=reporter.say,
                plugins=catalog.plugins,
                command=shareable(sys.argv[1:]),
                parent=parent,
            )
            done.append((run_or_load(resolved, folder, execution), folder))
            code = max(code, int(done[-1][0].record.status != "done"))
    for result, folder in done:
        show([result], folder)
    raise typer.Exit(code)
