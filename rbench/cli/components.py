"""``rbench list``, ``rbench show`` and ``rbench plugins``: what there is."""

from __future__ import annotations

import fnmatch
import json
from typing import Annotated

import typer

from rbench.cli.completion import KIND, NAME, singular

JSON = Annotated[bool, typer.Option("--json", help="print JSON")]


def list_command(
    kind: Annotated[str | None, KIND] = None,
    pattern: Annotated[str, typer.Argument(help="names to show, with * and ?")] = "*",
    as_json: JSON = False,
) -> None:
    """List components, recipes and suites."""
    from rbench.errors import UnknownName
    from rbench.plugin.catalog import Catalog
    from rbench.plugin.components import FAMILIES, KINDS, ArchitectureFamily
    from rbench.spec import registry

    catalog = Catalog.from_environment()
    folders = ("recipe", "suite")
    kinds = [*KINDS, *folders]
    wanted = kinds if kind is None else [singular(kind)]
    if wanted[0] not in kinds:
        raise UnknownName("kind", kind or "", [f"{name}s" for name in kinds])
    found: dict[str, dict[str, str]] = {}
    for name in wanted:
        if name in folders:
            found[name] = {
                entry: str(registry.read(f"{name}s", entry).get("summary", ""))
                for entry in registry.names(f"{name}s")
            }
            continue
        found[name] = {}
        for component in catalog.components(name):
            if isinstance(component, FAMILIES) and kind is not None:
                found[name] |= dict.fromkeys(sorted(component.names()), component.name)
            elif isinstance(component, FAMILIES):
                count = len(set(component.names()))
                many = isinstance(component, ArchitectureFamily) and count > 20
                label = f"{component.name}: {count:,} models" if many else component.name
                found[name][label] = component.summary
            else:
                found[name][component.name] = component.summary
    found = {
        name: {k: v for k, v in entries.items() if fnmatch.fnmatchcase(k, pattern)}
        for name, entries in found.items()
    }
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for name, entries in found.items():
        typer.echo(f"{name}s")
        width = min(max(map(len, entries), default=0), 40)
        for entry, summary in entries.items():
            typer.echo(f"  {entry:<{width}}  {summary}".rstrip())


def show_command(
    kind: Annotated[str, KIND],
    name: Annotated[str, NAME],
    as_json: JSON = False,
) -> None:
    """Show one component and its options, or one recipe or suite."""
    from rbench.errors import UnknownName
    from rbench.plugin.catalog import Catalog
    from rbench.plugin.components import KINDS
    from rbench.plugin.describe import describe
    from rbench.spec import registry

    kind = singular(kind)
    if kind in ("recipe", "suite"):
        content = registry.find(f"{kind}s", name)
        typer.echo(json.dumps(content, indent=1, default=str))
        return
    if kind not in KINDS:
        raise UnknownName("kind", kind, [*KINDS, "recipe", "suite"])
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
