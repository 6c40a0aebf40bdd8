"""``rbench list``, ``rbench show`` and ``rbench plugins``: what there is."""

from __future__ import annotations

import fnmatch
import json
import re
import textwrap
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from rbench.cli.completion import KIND, NAME, SHOWN, singular
from rbench.cli.declarations import recipe_text, suite_text
from rbench.cli.text import table
from rbench.errors import UnknownName, UserError

FOLDERS = ("recipe", "suite")
"""Kinds that are declared in files, not components."""
JSON = Annotated[bool, typer.Option("--json", help="print JSON")]


def list_command(
    kind: Annotated[str | None, KIND] = None,
    pattern: Annotated[str, typer.Argument(help="names to show, with * and ?")] = "*",
    as_json: JSON = False,
) -> None:
    """List components, recipes and suites: without a kind, how many of each there are."""
    found = {
        name: {k: v for k, v in _entries(name).items() if fnmatch.fnmatchcase(k, pattern)}
        for name in ([*_kinds()] if kind is None else [_known(kind)])
    }
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    elif kind is None:
        typer.echo("\n".join(_overview(found)))
    else:
        for name, entries in found.items():
            typer.echo("\n".join([f"{name}s", *_lines(name, entries)]))


def _kinds() -> list[str]:
    from rbench.plugin.components import KINDS

    return [*KINDS, *FOLDERS]


def _known(kind: str) -> str:
    """The catalog's word for ``kind``; UnknownName where there is none."""
    name = singular(kind)
    if name not in _kinds():
        raise UnknownName("kind", kind, [f"{one}s" for one in _kinds()])
    return name


def _entries(kind: str) -> dict[str, str]:
    """Name -> summary of all there is of a kind."""
    from rbench.plugin.catalog import Catalog
    from rbench.plugin.components import FAMILIES
    from rbench.spec import registry

    if kind in FOLDERS:
        folder = f"{kind}s"
        return {
            name: str(_declaration(folder, name).get("summary", ""))
            for name in registry.names(folder)
        }
    found: dict[str, str] = {}
    for component in Catalog.from_environment().components(kind):
        if isinstance(component, FAMILIES):
            found |= dict.fromkeys(sorted(component.names()), component.name)
        else:
            found[component.name] = component.summary
    return found


@cache
def _declaration(folder: str, name: str) -> dict[str, Any]:
    """A registered file, parsed once; only read here."""
    from rbench.spec import registry

    return registry.read(folder, name)


def _overview(found: dict[str, dict[str, str]]) -> list[str]:
    """A line for each kind: its count and a few names; for suites a line for each paper."""
    rows = []
    for kind, entries in found.items():
        word = f"{kind}s".replace(" ", "-").replace("architectures", "models")
        groups = _by_paper(entries) if kind == "suite" else {"": list(entries)}
        rows.append((word, f"{len(entries):,}", "" if kind == "suite" else _some(groups[""])))
        if kind == "suite":
            rows += [
                (
                    f"  {textwrap.shorten(paper, 40, placeholder=' ...')}",
                    f"{len(names)}",
                    _some(names),
                )
                for paper, names in groups.items()
            ]
    return [
        *table(("", "", ""), rows, right=(1,)),
        "",
        "rbench list KIND [PATTERN] lists all of a kind, such as: rbench list models 'resnet*'",
        "rbench show KIND NAME explains one, such as: rbench show metric fgsm",
    ]


def _some(names: list[str]) -> str:
    """A few of ``names``, as many as fit on a line."""
    shown: list[str] = []
    for name in names:
        if len(", ".join([*shown, name])) > 52:
            break
        shown.append(name)
    return ", ".join([*shown, "..."] if len(shown) < len(names) else shown)


def _by_paper(suites: Iterable[str]) -> dict[str, list[str]]:
    """Names of suites by the paper that they are of, in the order of the papers."""
    groups: dict[str, list[str]] = {}
    for name in suites:
        paper = str(_declaration("suites", name).get("paper") or "no paper")
        short = re.match(r"P\d+(?= )", paper)
        groups.setdefault(short.group() if short else paper, []).append(name)
    return dict(sorted(groups.items(), key=lambda item: (item[0] == "no paper", item[0])))


def _lines(kind: str, entries: dict[str, str]) -> list[str]:
    """A line for each name with its summary; suites under their paper."""
    width = min(max(map(len, entries), default=0), 40)
    groups = _by_paper(entries) if kind == "suite" else {"": list(entries)}
    lines = []
    for paper, names in groups.items():
        lines += [f" {paper}"] if paper else []
        lines += [f"  {name:<{width}}  {entries[name]}".rstrip() for name in names]
    return lines


def show_command(
    kind: Annotated[str, SHOWN],
    name: Annotated[str | None, NAME] = None,
    as_json: JSON = False,
) -> None:
    """Show one component and its options, one recipe or suite, or a record."""
    from rbench.plugin.catalog import Catalog
    from rbench.plugin.describe import describe
    from rbench.spec import registry

    if name is None and (kind.endswith(".json") or Path(kind).exists()):
        _show_record(Path(kind), as_json)
        return
    kind = _known(kind)
    if name is None:
        raise UserError(f"rbench show {kind}: name one; rbench list {kind}s prints the names")
    if kind in FOLDERS:
        content = registry.find(f"{kind}s", name)
        as_text = suite_text if kind == "suite" else recipe_text
        typer.echo(json.dumps(content, indent=1, default=str) if as_json else as_text(content))
        return
    catalog = Catalog.from_environment()
    component = getattr(catalog, kind.replace(" ", "_"))(name)
    described = describe(component, catalog.plugin_of(kind, name))
    if as_json:
        typer.echo(json.dumps(described, indent=1, default=str))
        return
    typer.echo(f"{kind} {name} (plugin {described['plugin']}, revision {component.revision})")
    typer.echo(component.summary)
    for option in described["options"]:
        typer.echo(f"  {option['name']} = {option['default']!r}  ({option['type']})")
        if option["description"]:
            typer.echo(f"      {option['description']}")


def _show_record(path: Path, as_json: bool) -> None:
    if path.is_dir():
        raise UserError(f"{path} is a folder; rbench leaderboard {path} shows its records")
    if as_json:
        from rbench.records.record import read, to_json

        typer.echo(to_json(read(path)), nl=False)
        return
    from rbench.cli.summary import show_record

    show_record(path)


def plugins_command(as_json: JSON = False) -> None:
    """List plugins, what each brings, and why a failed one failed."""
    from rbench.plugin.loading import load

    plugins = load().plugins
    if as_json:
        typer.echo(json.dumps([vars(plugin) for plugin in plugins], indent=1))
        return
    for plugin in plugins:
        source = f"{plugin.distribution} {plugin.version}".strip() or plugin.value
        typer.echo(f"{plugin.name}: {plugin.status} ({source})")
        if plugin.error:
            typer.echo(f"  {plugin.error}")
        for component in plugin.components:
            typer.echo(f"  {component}")
