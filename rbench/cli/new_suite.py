"""``rbench new-suite``: a suite file to start from."""

from __future__ import annotations

from typing import Annotated

import typer

from rbench.errors import UserError

TEMPLATE = """# rbench plan {file} shows what would run, rbench sweep {file} runs it.
summary = "Do frozen filters need a good initializer?"
seeds = 2

# Fields that all runs share: those of rbench run --help, with underscores for dashes.
[base]
dataset = "digits"
model = "resnet10t"
epochs = 2
metrics = ["top1"]

# Every combination of the lists in a table; several [[grid]] tables add up.
[[grid]]
freeze = ["none", "spatial"]
init = ["kaiming", "orthogonal"]
# "init_kwargs.gain" = [1.0, 2.0]   # a dot reaches into options

# What rbench plot draws; remove it if you want no figure.
[[figure]]
name = "by-initializer"
kind = "bars"
x = "init"
y = "top1"
series = "freeze"
"""


def command(
    name: Annotated[str, typer.Argument(help="name or path of the file, such as my_suite")],
) -> None:
    """Write a suite file with comments to start from."""
    from rbench.files import user_path, write_atomically

    path = user_path(name if name.endswith(".toml") else f"{name}.toml")
    if path.exists():
        raise UserError(f"{path} exists already")
    write_atomically(path, TEMPLATE.format(file=path.name))
    typer.echo(f"{path}: next, rbench plan {path}")
