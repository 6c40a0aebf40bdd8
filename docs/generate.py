"""The reference pages, made from the code: `python docs/generate.py` writes docs/reference/.

mkdocs runs this before each build (``hooks`` in mkdocs.yml), so the pages are never stale and are
not kept in git.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from rbench.plugin.catalog import Catalog
from rbench.plugin.components import FAMILIES, KINDS
from rbench.plugin.describe import describe, plain, type_name
from rbench.plugin.recipe import Training
from rbench.records import record
from rbench.report import compare, plot
from rbench.report.leaderboard.frame import FIELDS
from rbench.report.leaderboard.table_csv import COLUMNS
from rbench.spec import conditions, registry
from rbench.spec.run_spec import RunSpec
from rbench.spec.suite_spec import SuiteSpec, read_suite

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import imports  # noqa: E402 -- docs/imports.py, beside this file

GROUPS = {
    "Run and read": ("run", "load", "RunSpec", "SuiteSpec", "Training", "Record", "MetricValue"),
    "Components": (
        "Architecture",
        "ArchitectureFamily",
        "Initializer",
        "FreezingRule",
        "Dataset",
        "DatasetFamily",
        "Task",
        "Metric",
        "Options",
        "NoOptions",
        "hookimpl",
    ),
    "What the engine hands to a component": (
        "BuildContext",
        "DataContext",
        "TaskContext",
        "MetricContext",
        "Layer",
    ),
    "Data": ("ImageData", "MemoryImages", "FileImages", "Batch"),
    "What tasks return": (
        "Outcome",
        "ClassificationOutcome",
        "ImagesOutcome",
        "StylizationOutcome",
    ),
    "Errors": ("UserError", "UnknownName", "Diverged"),
}


def pages() -> dict[str, str]:
    """Every generated page by its path inside docs/."""
    return {
        "reference/command-line.md": _join(_commands()),
        "reference/components.md": _join(_components()),
        "reference/recipes-and-suites.md": _join(_declared()),
        "reference/run.md": _join(_run()),
        "reference/suite-files.md": _join(_suite_files()),
        "reference/record.md": _join(_record()),
        "reference/record.schema.json": json.dumps(record.Record.model_json_schema(), indent=1),
        "reference/tables.md": _join(_tables()),
        "reference/python.md": _join(_python()),
        "reference/imports.svg": imports.picture(),
    }


def main() -> None:
    """Write the pages that differ."""
    for name, text in pages().items():
        path = HERE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def on_pre_build(config: object) -> None:
    """Called by mkdocs."""
    main()


def _commands() -> Iterator[str]:
    import typer
    from typer.testing import CliRunner

    from rbench.cli.app import app

    os.environ.update(COLUMNS="88", NO_COLOR="1", TERM="dumb")
    yield "# Command line\n"
    yield "What `rbench COMMAND --help` prints.\n"
    group = typer.main.get_command(app)
    for name in group.commands:  # type: ignore[attr-defined]
        said = CliRunner().invoke(app, [name, "--help"], terminal_width=88)
        assert said.exit_code == 0, said.output
        yield f"## rbench {name}\n\n```text\n{said.output.strip()}\n```\n"


def _components() -> Iterator[str]:
    yield "# Components\n"
    yield (
        "What rbench itself brings, by kind. `rbench show KIND NAME` prints the same of one "
        "component, of your plugins too.\n"
    )
    catalog = Catalog.from_environment()
    for kind in KINDS:
        yield f"\n## {kind.capitalize()}s\n"
        for component in catalog.components(kind):
            if catalog.plugin_of(kind, component.name) == "builtin":
                yield from _component(component)


def _declared() -> Iterator[str]:
    yield "# Recipes and suites\n"
    yield "## Recipes\n"
    yield from _table(
        ("recipe", "what it is"),
        (
            (f"`{n}`", registry.read("recipes", n).get("summary", ""))
            for n in registry.names("recipes")
        ),
    )
    yield "\n## Suites\n"
    suites = [read_suite(name) for name in registry.names("suites")]
    yield from _table(
        ("suite", "paper", "protocol", "what it is"),
        ((f"`{s.name}`", s.paper or "", s.protocol, s.summary) for s in suites),
    )


def _run() -> Iterator[str]:
    yield "# A run and its recipe\n"
    yield (
        "The fields of `rbench.RunSpec`, under the same names on the command line (with dashes), "
        "in `rbench run -c run.toml`, in suite files and in `rbench.run(...)`.\n"
    )
    yield from _fields(RunSpec)
    yield "\n## Recipe (`rbench.Training`)\n"
    yield "The fields of a recipe's `[training]` table; each can be replaced in a run.\n"
    yield from _fields(Training)


def _suite_files() -> Iterator[str]:
    yield "# Suite files\n"
    yield f"{_prose(SuiteSpec)}\n"
    yield from _fields(SuiteSpec)
    yield f"\n## Conditions\n\n{_prose(conditions)}"
    yield f"\n## Figures\n\n{_prose(plot)}"
    yield f"\n## Declarations of papers\n\n{_prose(compare)}"


def _record() -> Iterator[str]:
    yield f"# Record, schema {record.SCHEMA}\n"
    yield (
        "One strict-JSON file for each run. The [JSON Schema](record.schema.json) describes it to "
        "other programs.\n"
    )
    for name in record.__all__:
        part = getattr(record, name)
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield f"\n## `{name}`\n\n{_prose(part)}\n"
            yield from _table(
                ("field", "type"),
                (
                    (f"`{n}`", f"`{type_name(info.annotation)}`")
                    for n, info in part.model_fields.items()
                ),
            )


def _python() -> Iterator[str]:
    import rbench

    yield "# Python API\n"
    yield "Everything here is a name of the module `rbench`, and outlives any move of the code.\n"
    where = dict(_public())
    known = {name for names in GROUPS.values() for name in names}
    rest = tuple(name for name in rbench.__all__ if name not in known)
    for title, names in {**GROUPS, "Tools for components": rest}.items():
        yield f"\n## {title}\n"
        for name in names:
            if name in where:
                # Types that have moved to a plugin are documented where they are.
                moved = where[name] == "rbench.plugin.moved"
                module = getattr(rbench, name).__module__ if moved else where[name]
                yield f"::: {module}.{name}\n    options:\n      heading_level: 3\n"
    yield "\n## Testing\n\n::: rbench.testing.check_plugin\n    options:\n      heading_level: 3\n"


def _public() -> Iterator[tuple[str, str]]:
    """Each public name and the module that defines it, from the stub of the package."""
    stub = ast.parse((HERE.parent / "rbench" / "__init__.pyi").read_text(encoding="utf-8"))
    for node in stub.body:
        if isinstance(node, ast.ImportFrom):
            yield from ((alias.name, f"rbench.{node.module}") for alias in node.names)


def _tables() -> Iterator[str]:
    yield "# Columns of tables\n"
    yield "## CSV files of the leaderboards\n"
    yield (
        "UTF-8, a heading line, a line for each entry and metric. Texts that a spreadsheet would "
        "take for a formula begin with an apostrophe. "
        "`rbench.report.leaderboard.table_csv.from_csv` reads them back.\n"
    )
    yield from _table(("column", "content"), ((f"`{n}`", what) for n, what in COLUMNS.items()))
    yield "\n## `rbench.load(folder)`\n"
    yield (
        "A pandas DataFrame, a row a record: `model`, `init`, `freeze`, `task`, `dataset`, "
        f"{', '.join(f'`{name}`' for name in FIELDS)}, `metric.<name>` and "
        "`metric.<name>.uncertainty`, and `model.<option>`, `init.<option>`, `task.<option>`, "
        "`dataset.<option>`, `training.<field>`."
    )


def _prose(thing: Any) -> str:
    """A docstring of ours as markdown."""
    text = inspect.getdoc(thing) or ""
    text = re.sub(r":(?:mod|class|func|meth|attr):`~?([^`]+)`", r"`\1`", text)
    return text.replace("``", "`").replace("::\n\n", ":\n\n")


def _component(component: Any) -> Iterator[str]:
    yield f"\n### `{component.name}`\n\n{component.summary}"
    if isinstance(component, FAMILIES):
        return
    described = describe(component, "builtin")
    if described["options"]:
        yield ""
        yield from _table(
            ("option", "type", "default", "meaning"),
            (
                (f"`{o['name']}`", f"`{o['type']}`", f"`{o['default']!r}`", o["description"])
                for o in described["options"]
            ),
        )


def _fields(model: type[BaseModel]) -> Iterator[str]:
    yield from _table(
        ("field", "type", "default", "meaning"),
        (
            (
                f"`{name}`",
                f"`{type_name(info.annotation)}`",
                "required" if info.is_required() else f"`{plain(info.get_default())!r}`",
                info.description or "",
            )
            for name, info in model.model_fields.items()
        ),
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"


def _join(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
