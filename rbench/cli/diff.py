"""``rbench diff``: two configurations against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rbench.cli.records_arguments import DEFAULT

EPILOG = "Example: rbench diff model=resnet18,freeze=none model=resnet18,freeze=spatial results"


def command(
    a: Annotated[str, typer.Argument(help="a record's file, its name, or conditions")],
    b: Annotated[str, typer.Argument(help="the same for the second configuration")],
    records: Annotated[list[Path] | None, typer.Argument(help="folders of records")] = None,
) -> None:
    """Compare two configurations: differing fields, and each metric's B - A with its 95 % interval.

    Seeds are paired where both configurations ran them. Where predictions were kept, McNemar's
    exact test compares the networks of each shared seed image by image.
    """
    from rbench.report.diff import compared, differing, images, load, select

    loaded = load(records or [DEFAULT])
    one, other = select(a, loaded), select(b, loaded)
    for name, (left, right) in differing(one.columns, other.columns).items():
        typer.echo(f"{name}: {left} -> {right}")
    for name, found in compared(one, other).items():
        interval = found.interval(0.95) if found is not None else None
        if found is None:
            typer.echo(f"{name}: no value in one of the configurations")
            continue
        if interval is None:
            word = found.word(one.metrics[name])
            typer.echo(f"{name}: {found.value:+.4g} (n {found.n}): {word}")
            continue
        smallest = found.smallest
        shown = "" if smallest is None else f"; smallest difference this n shows {smallest:.3g}"
        typer.echo(
            f"{name}: {found.value:+.4g} [{interval[0]:+.4g}, {interval[1]:+.4g}] "
            f"({'paired' if found.paired else 'unpaired'}, n {found.n}){shown}: "
            f"{found.word(one.metrics[name])}"
        )
    for seed, test in images(one, other).items():
        typer.echo(
            f"seed {seed}: {test.only_a} images only A has right, {test.only_b} only B; "
            f"McNemar p = {test.p:.3g}"
        )
