"""Shell completion: the names that are valid for a flag or an argument, without torch."""

from __future__ import annotations

from collections.abc import Callable

import typer

KIND_NAMES = {
    "model": "architecture",
    "architecture": "architecture",
    "initializer": "initializer",
    "init": "initializer",
    "freezing-rule": "freezing rule",
    "freezing_rule": "freezing rule",
    "freezing": "freezing rule",
    "freeze": "freezing rule",
    "rule": "freezing rule",
    "dataset": "dataset",
    "task": "task",
    "metric": "metric",
    "recipe": "recipe",
    "suite": "suite",
}
"""What the user may call a kind, in the singular, and what the catalog calls it."""


def complete(kind: str) -> Callable[[str], list[str]]:
    """A completion function for the names of ``kind`` (``models``, ``recipes``, ...)."""

    def names(incomplete: str) -> list[str]:
        return [name for name in names_of(kind) if name.startswith(incomplete)]

    return names


def complete_of_kind(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of the kind that stands before on the command line."""
    return complete(str(ctx.params.get("kind")))(incomplete)


def names_of(kind: str) -> list[str]:
    """All names of a kind, sorted; none where the plugins cannot be read."""
    from rbench.plugin.catalog import Catalog
    from rbench.plugin.components import KINDS
    from rbench.spec import registry

    kind = singular(kind)
    if kind in KINDS:
        return Catalog.from_environment().names(kind)
    return registry.names(f"{kind}s")


def singular(kind: str) -> str:
    """The catalog's word for what the user calls a kind: ``models`` is ``architecture``."""
    word = kind.lower().removesuffix("s")
    return KIND_NAMES.get(word, word)


def complete_kinds(incomplete: str) -> list[str]:
    """The kinds that ``rbench list`` and ``rbench show`` take."""
    from rbench.plugin.components import KINDS

    words = ["model", *(kind.replace(" ", "-") for kind in KINDS[1:]), "recipe", "suite"]
    return [f"{word}s" for word in words if word.startswith(incomplete)]


SUITE = typer.Argument(help="a suite's name, or a .toml file", autocompletion=complete("suites"))
KIND = typer.Argument(
    help="a kind, such as metrics or freezing-rules", autocompletion=complete_kinds
)
SHOWN = typer.Argument(
    help="a kind, such as metric, or a record's file", autocompletion=complete_kinds
)
NAME = typer.Argument(help="a component's name", autocompletion=complete_of_kind)
EXECUTOR = typer.Option(
    "--executor",
    metavar="local|slurm|ray",
    help="where runs are executed (default: local)",
    show_default=False,
    rich_help_panel="Parallel runs",
)
