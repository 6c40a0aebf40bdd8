"""``rbench run``: one cell, or the same cell under several seeds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rbench.cli.arguments import shareable, table, with_model_flags
from rbench.plugin.recipe import Training
from rbench.runner.quiet import quiet_libraries

Words = list[str] | None


def _option(*names: str, help: str, panel: str = "Run", **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, **more)


@with_model_flags(Training, {"batch_size": ["-b"]})
def command(
    flags: dict[str, Any],
    model: Annotated[str | None, _option("--model", help="a timm model, or a plugin's")] = None,
    model_kwargs: Annotated[Words, _option("--model-kwargs", help="name=value ...")] = None,
    pretrained: Annotated[bool, _option("--pretrained", help="published weights")] = False,
    initial_checkpoint: Annotated[
        str | None, _option("--initial-checkpoint", help="a .safetensors file")
    ] = None,
    num_classes: Annotated[int | None, _option("--num-classes", help="outputs")] = None,
    img_size: Annotated[list[int] | None, _option("--img-size", help="pixels: N, or H W")] = None,
    in_chans: Annotated[int | None, _option("--in-chans", help="channels")] = None,
    init: Annotated[str | None, _option("--init", help="an initializer")] = None,
    init_kwargs: Annotated[Words, _option("--init-kwargs", help="name=value ...")] = None,
    init_scope: Annotated[str | None, _option("--init-scope", help="spatial, all")] = None,
    freeze: Annotated[
        Words, _option("--freeze", help="none, spatial, batchnorm, all, or name patterns")
    ] = None,
    freeze_spatial: Annotated[
        bool, _option("--freeze-spatial", help="freeze convolutions with more than one tap")
    ] = False,
    task: Annotated[str | None, _option("--task", help="what is asked of the network")] = None,
    task_kwargs: Annotated[Words, _option("--task-kwargs", help="name=value ...")] = None,
    dataset: Annotated[str | None, _option("--dataset", help="images")] = None,
    dataset_kwargs: Annotated[Words, _option("--dataset-kwargs", help="name=value ...")] = None,
    content: Annotated[
        Words, _option("--content", help="images that stylization paints anew")
    ] = None,
    style: Annotated[Words, _option("--style", help="images that it takes the style of")] = None,
    data_dir: Annotated[str | None, _option("--data-dir", help="where its files are")] = None,
    download: Annotated[bool, _option("--download", help="fetch them there")] = False,
    skip_bad: Annotated[bool, _option("--skip-bad", help="go on without bad images")] = False,
    recipe: Annotated[str | None, _option("--recipe", help="a recipe, or a .toml file")] = None,
    metrics: Annotated[Words, _option("--metrics", help="what is measured")] = None,
    metric_kwargs: Annotated[
        Words, _option("--metric-kwargs", help="metric.name=value ...")
    ] = None,
    limit: Annotated[int | None, _option("--limit", help="train on N images only")] = None,
    seed: Annotated[int | None, _option("--seed", help="of every random choice")] = None,
    seeds: Annotated[int, _option("--seeds", help="how many, from --seed on", panel="How")] = 1,
    deterministic: Annotated[
        bool, _option("--deterministic", help="deterministic kernels only")
    ] = False,
    device: Annotated[str | None, _option("--device", help="auto, cpu, cuda", panel="How")] = None,
    workers: Annotated[
        int | None, _option("-j", "--workers", help="reading processes", panel="How")
    ] = None,
    config: Annotated[
        Path | None, _option("-c", "--config", help="a spec in TOML; flags win", panel="How")
    ] = None,
    output: Annotated[Path, _option("--output", help="folder of records", panel="How")] = Path(
        "results"
    ),
    force: Annotated[bool, _option("--force", help="run again what is done", panel="How")] = False,
    save_weights: Annotated[
        bool, _option("--save-weights", help="keep the weights beside the record", panel="How")
    ] = False,
    checkpoint_every: Annotated[
        int | None,
        _option(
            "--checkpoint-every",
            min=0,
            help="steps between checkpoints; 0: none; default: now and then",
            panel="How",
        ),
    ] = None,
    as_json: Annotated[
        bool, _option("--json", help="print the records and nothing else", panel="How")
    ] = False,
) -> None:
    """Build a network, freeze, train and measure it; write a record and show it."""
    from rbench.api import to_spec
    from rbench.cli.progress import Reporter
    from rbench.cli.summary import show
    from rbench.errors import UserError
    from rbench.plugin.catalog import Catalog
    from rbench.runner import preemption
    from rbench.spec import registry
    from rbench.spec.resolve import resolve
    from rbench.sweep.run_cell import check_writable, finished, rank, record_path, run_cell

    fields = registry.read_file(config) if config else {}
    given = {
        "model": model,
        "model_kwargs": table("--model-kwargs", model_kwargs),
        "pretrained": pretrained,
        "initial_checkpoint": initial_checkpoint,
        "num_classes": num_classes,
        "img_size": None if not img_size else (img_size * 2)[:2] if len(img_size) < 3 else img_size,
        "in_chans": in_chans,
        "init": init,
        "init_kwargs": table("--init-kwargs", init_kwargs),
        "init_scope": init_scope,
        "freeze": [part for word in freeze or [] for part in word.split(",") if part],
        "freeze_spatial": freeze_spatial,
        "task": task,
        "task_kwargs": table("--task-kwargs", task_kwargs),
        "dataset": dataset,
        "dataset_kwargs": table("--dataset-kwargs", dataset_kwargs)
        | {name: words for name, words in (("content", content), ("style", style)) if words},
        "data_dir": data_dir,
        "download": download,
        "skip_bad": skip_bad,
        "recipe": recipe,
        "metrics": [part for word in metrics or [] for part in word.split(",") if part],
        "metric_kwargs": table("--metric-kwargs", metric_kwargs),
        "limit": limit,
        "seed": seed,
        "deterministic": deterministic,
        "device": device,
        "workers": workers,
    }
    fields |= {name: value for name, value in given.items() if _named(value)}
    fields["training"] = {**fields.get("training", {}), **flags}
    if "model" not in fields:
        raise UserError("--model is missing; rbench list architectures says what there is")
    if seeds < 1:
        raise UserError(f"--seeds {seeds}: must be at least 1")
    catalog = Catalog.from_environment()
    spec = to_spec(fields, str(config) if config else "rbench run")
    cells = [
        resolve(to_spec({**spec.model_dump(), "seed": spec.seed + i}), catalog)
        for i in range(seeds)
    ]
    check_writable(output)
    preemption.listen("SIGTERM", "SIGUSR1", "SIGUSR2")
    main_process = rank() == 0
    with Reporter(quiet=as_json or not main_process) as reporter:
        for plugin in catalog.failed:
            reporter.say(f"the plugin {plugin.name} was left out: {plugin.error}")
        done = []
        for cell in cells:
            reporter.start(f"seed {cell.spec.seed}" if seeds > 1 else "")
            if finished(output, cell) and not force:
                reporter.say(
                    f"this run is in {record_path(output, cell)} already; --force runs it again"
                )
            else:
                quiet_libraries()
            from rbench.runner.execute import Execution

            execution = Execution(
                folder=output,
                progress=reporter,
                say=reporter.say,
                plugins=catalog.plugins,
                command=shareable(sys.argv[1:]),
                save_weights=save_weights,
                checkpoint_every=checkpoint_every,
            )
            done.append(run_cell(cell, output, execution, force=force))
            if done[-1].record.status == "interrupted":
                break
    if main_process:
        if as_json:
            print(json.dumps([c.record.model_dump(mode="json") for c in done], allow_nan=False))
        else:
            show(done, output)
    statuses = {cell.record.status for cell in done}
    raise typer.Exit(130 if "interrupted" in statuses else 1 if "failed" in statuses else 0)


def _named(value: object) -> bool:
    """Whether the user gave this flag; 0 is a value."""
    return value is not None and value is not False and value not in ({}, [])
