"""Pages generated from the code: what a plugin author and a reader of tables look up."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from rbench.files import write_atomically
from rbench.plugin import hookspecs
from rbench.plugin.catalog import Catalog
from rbench.plugin.components import KINDS, ArchitectureFamily
from rbench.plugin.describe import describe, plain, type_name
from rbench.plugin.recipe import Training
from rbench.records import record
from rbench.report.leaderboard.frame import FIELDS
from rbench.report.leaderboard.table_csv import COLUMNS
from rbench.spec.run_spec import RunSpec

_MADE = "<!-- Made by `rbench reference --write`; change the code instead. -->"
_PARTS = ("Record", "MetricValue", "FreezeReport", "Tensors", "DataReport", "Phase", "Artifact")


def pages() -> dict[str, str]:
    """Every generated page by its path inside the repository."""
    return {
        "plugins/README.md": _join(_plugins()),
        "leaderboards/README.md": _join(_leaderboards()),
    }


def write(folder: Path) -> list[str]:
    """Write what differs into ``folder``, rbench's checkout; return the names."""
    wrong = stale(folder)
    for name in wrong:
        write_atomically(folder / name, pages()[name])
    return wrong


def stale(folder: Path) -> list[str]:
    """The pages in ``folder`` that are not what the code says."""

    def holds(path: Path, text: str) -> bool:
        return path.is_file() and path.read_bytes() == text.encode()

    return [name for name, text in pages().items() if not holds(folder / name, text)]


def _plugins() -> Iterator[str]:
    yield f"{_MADE}\n\n# Reference\n"
    yield (
        "What rbench brings, what a plugin can register, and the names in records. "
        "`rbench show KIND NAME` prints the same of one component, of your plugins too; "
        "`rbench new-plugin NAME` writes a package to start from.\n"
    )
    yield "## Hooks\n"
    yield (
        "A plugin is a module that an entry point in the group `rbench` names; it implements any "
        "of these under `@rbench.hookimpl`.\n"
    )
    for name, hook in vars(hookspecs).items():
        if name.startswith("rbench_register_"):
            returns = str(inspect.signature(hook).return_annotation).replace("|", "or")
            yield f"- `{name}() -> {returns}`: {inspect.getdoc(hook)}"
    catalog = Catalog.from_environment()
    for kind in KINDS:
        yield f"\n## {kind.capitalize()}s\n"
        for component in catalog.components(kind):
            if catalog.plugin_of(kind, component.name) == "builtin":
                yield from _component(component)
    yield "\n## A run (`rbench.RunSpec`)\n"
    yield from _fields(RunSpec)
    yield "\n## A recipe (`rbench.Training`)\n"
    yield from _fields(Training)
    yield f"\n## A record, schema {record.SCHEMA}\n"
    for name in _PARTS:
        part = getattr(record, name)
        yield f"\n### `{name}`\n\n{_paragraph(part)}\n"
        yield from _table(
            ("field", "type"),
            (
                (f"`{n}`", f"`{type_name(info.annotation)}`")
                for n, info in part.model_fields.items()
            ),
        )


def _component(component: Any) -> Iterator[str]:
    yield f"\n### `{component.name}`\n\n{component.summary}"
    if isinstance(component, ArchitectureFamily):
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


def _leaderboards() -> Iterator[str]:
    yield f"{_MADE}\n\n# Leaderboards\n"
    yield (
        "`records/` holds the records, one file a run and seed; everything else here is made from "
        "them by `rbench leaderboard leaderboards/records --output leaderboards`:\n\n"
        "- `index.html`: one page with all tables and figures, which works offline;\n"
        "- `tables/*.csv`, `tables/*.md`: a table a protocol. What cannot be compared is not in "
        "one table.\n\n"
        "A row is added with `rbench submit RECORDS`; CONTRIBUTING says how.\n"
    )
    yield "## Columns of the CSV files\n"
    yield (
        "UTF-8, a heading line, a line for each entry and metric. Texts that a spreadsheet would "
        "take for a formula begin with an apostrophe. "
        "`rbench.report.leaderboard.table_csv.from_csv` reads them back.\n"
    )
    yield from _table(("column", "content"), ((f"`{n}`", what) for n, what in COLUMNS.items()))
    yield "\n## Columns of `rbench.load(folder)`\n"
    yield (
        "A pandas DataFrame, a row a record: `model`, `init`, `freeze`, `task`, `dataset`, "
        f"{', '.join(f'`{name}`' for name in FIELDS)}, `metric.<name>` and "
        "`metric.<name>.uncertainty`, and `model.<option>`, `init.<option>`, `task.<option>`, "
        "`dataset.<option>`, `training.<field>`."
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


def _paragraph(part: type[BaseModel]) -> str:
    return " ".join((inspect.getdoc(part) or "").split())


def _join(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
