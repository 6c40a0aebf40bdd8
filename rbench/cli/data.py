"""``rbench data``: look at a dataset, and prepare those of a suite before nodes go offline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rbench.cli.arguments import assignments
from rbench.cli.completion import SUITE
from rbench.cli.panels import Command, Group
from rbench.errors import UserError, printable

if TYPE_CHECKING:
    from PIL.Image import Image

    from rbench.plugin.data import ImageData

app = typer.Typer(
    cls=Group,
    help="Look at datasets and prepare them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
SAMPLES = 5
SIDE = 128
"""Pixels of a sample picture."""
DATA_DIR = typer.Option(
    "--data-dir", help="folder that holds the dataset's files; default: RBENCH_DATA"
)
DOWNLOAD = typer.Option("--download", help="download what is missing, where that is possible")


@app.command("prepare", cls=Command)
def prepare(
    suite: Annotated[str, SUITE],
    data_dir: Annotated[str | None, DATA_DIR] = None,
    download: Annotated[bool, DOWNLOAD] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="leave out images that cannot be read")
    ] = False,
) -> None:
    """Open every dataset of a suite once: download, verify, hash and decode it into the cache.

    Runs on other nodes then need neither a network nor a first pass over the files, if they share
    the cache folder (RBENCH_CACHE). What is there already is not made again.
    """
    from rbench.plugin.catalog import Catalog
    from rbench.runner.load_data import data_key, open_data
    from rbench.spec.resolve import data_folder
    from rbench.spec.suite_spec import read_suite
    from rbench.sweep.survey import resolve_suite

    overrides: dict[str, Any] = {"download": download, "skip_bad": skip_bad}
    overrides |= {"data_dir": data_dir} if data_dir else {}
    runs = resolve_suite(read_suite(suite), Catalog.from_environment(), overrides)
    distinct = {data_key(run): run for run in runs}
    for run in distinct.values():
        data, notes = open_data(run)
        for text in notes:
            typer.echo(f"note: {text}", err=True)
        folder = data_folder(run.spec, run.dataset.component)
        size = "x".join(map(str, (data.in_chans, *data.img_size)))
        place = f"{_bytes(Path(folder).expanduser())} in {folder}" if folder else "in the package"
        typer.echo(f"{printable(data.name)}: {_counts(data)} of {size}, {data.revision}, {place}")


@app.command("show", cls=Command)
def show(
    name: Annotated[str, typer.Argument(help="a dataset's name")],
    data_dir: Annotated[str | None, DATA_DIR] = None,
    download: Annotated[bool, DOWNLOAD] = False,
    img_size: Annotated[
        int | None, typer.Option("--img-size", min=1, help="side in pixels; default: the set's")
    ] = None,
    dataset_kwargs: Annotated[
        list[str] | None,
        typer.Option("--dataset-kwargs", help="options of the dataset, such as stream=true"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="PNG file for five sample pictures")
    ] = None,
) -> None:
    """Print a dataset's counts, sizes and classes; write five of its pictures to --output."""
    from rbench.plugin.catalog import Catalog
    from rbench.plugin.contexts import DataContext
    from rbench.spec.parse import parse

    dataset = Catalog.from_environment().dataset(name)
    folder = data_dir or (os.environ.get("RBENCH_DATA") if dataset.needs_data_dir else None)
    context = DataContext(
        name=dataset.name,
        data_dir=Path(folder).expanduser() if folder else None,
        download=download,
        img_size=(img_size, img_size) if img_size else None,
        labels=False,
        note=lambda text: typer.echo(f"note: {text}", err=True),
    )
    given = assignments("--dataset-kwargs", dataset_kwargs)
    options = parse(dataset.options, given, f"--dataset-kwargs of {name}")
    data = dataset.open(context, options)
    shape = f"{data.img_size[1]}x{data.img_size[0]} pixels, {data.in_chans} channels"
    typer.echo(f"{printable(data.name)}: {_counts(data)}, {shape}")
    typer.echo(f"revision {data.revision}")
    numbers = zip(data.mean, data.std, strict=True)
    typer.echo("mean ± std " + ", ".join(f"{mean:.4f} ± {std:.4f}" for mean, std in numbers))
    for split, images in (("train", data.train), ("test", data.test)):
        if images is None or images.labels is None or not data.class_names:
            continue
        counts = images.labels.bincount(minlength=data.num_classes).tolist()
        shown = zip(data.class_names[:10], counts, strict=False)
        more = f", ... {data.num_classes} classes" if data.num_classes > 10 else ""
        typer.echo(f"{split}: " + ", ".join(f"{printable(c)} {n}" for c, n in shown) + more)
    if output is not None:
        if output.suffix != ".png":
            raise UserError(f"--output {output}: the pictures are written as .png")
        try:
            _samples(data).save(output)
        except OSError as error:
            raise UserError(f"cannot write {output}: {error.strerror}") from error
        typer.echo(f"{output}: {SAMPLES} pictures")


def _counts(data: ImageData) -> str:
    parts = [
        f"{len(images):,} {split}"
        for split, images in (("train", data.train), ("test", data.test))
        if images is not None
    ]
    return " + ".join(parts) + " images"


def _samples(data: ImageData) -> Image:
    """Evenly spaced images of the training set, or else of the test set, side by side."""
    import torch
    from PIL import Image as images

    source = data.train or data.test
    assert source is not None
    chosen = torch.arange(SAMPLES) * len(source) // SAMPLES
    sheet = images.new("RGB", (SAMPLES * SIDE, SIDE), "white")
    (batch,) = source.batches(SAMPLES, torch.device("cpu"), chosen)
    for number, pixels in enumerate((batch.images * 255).round().byte()):
        array = pixels[:3].permute(1, 2, 0) if len(pixels) >= 3 else pixels[0]
        picture = images.fromarray(array.numpy()).convert("RGB")
        scale = SIDE / max(picture.size)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), images.Resampling.NEAREST)
        sheet.paste(picture, (number * SIDE, 0))
    return sheet


def _bytes(folder: Path) -> str:
    total = 0
    for found, _, files in os.walk(folder):
        paths = (os.path.join(found, name) for name in files)
        total += sum(os.path.getsize(path) for path in paths if os.path.exists(path))
    return f"{total / 1024**2:,.1f} MiB"
