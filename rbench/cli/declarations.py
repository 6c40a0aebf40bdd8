"""Recipes and suites as text for a reader."""

from __future__ import annotations

import textwrap
from typing import Any

from rbench.cli.text import table
from rbench.errors import printable
from rbench.spec import registry
from rbench.spec.parse import parse
from rbench.spec.suite_spec import SuiteSpec, dotted

WIDTH = 88


def recipe_text(recipe: dict[str, Any]) -> str:
    """A recipe: its summary and a line for each field it sets."""
    lines = [f"recipe {recipe['name']}", *_prose(recipe.get("summary", "")), ""]
    lines += _fields(registry.recipe_fields(recipe))
    lines += ["", "what it leaves out has the default that rbench run --help prints"]
    return "\n".join(lines)


def suite_text(suite: dict[str, Any]) -> str:
    """A suite: what it is of, its runs, its figures, what it is compared with, how to run it."""
    spec = parse(SuiteSpec, suite, f"suite {suite['name']}")
    lines = [f"suite {spec.name}", *_prose(spec.summary)]
    lines += [f"paper: {spec.paper}"] if spec.paper else []
    lines += [f"protocol: {PROTOCOLS[spec.protocol]}"]
    lines += ["", *_prose(spec.discussion)] if spec.discussion else []
    configurations, seeds = len(spec.names()), spec.seeds
    runs = len(spec.runs())
    lines += [
        "",
        f"{_count(runs, 'run')}: {_count(configurations, 'configuration')}, "
        f"{'' if runs == configurations * seeds else 'up to '}{_count(seeds, 'seed')} each",
    ]
    lines += ["", "all runs:", *_fields(spec.base)] if spec.base else []
    for number, grid in enumerate(spec.grid, 1):
        if grid:
            title = "each combination of:" if len(spec.grid) == 1 else f"grid {number}, each of:"
            lines += ["", title, *_fields(grid)]
    if spec.tune is not None:
        lines += ["", "tuned first:", *_fields(spec.tune.model_dump(exclude_defaults=True))]
    if spec.figure:
        lines += ["", "figures:"]
        rows = [(f"  {f.get('name', '')}", str(f.get("title", ""))) for f in spec.figure]
        lines += table(("", ""), rows)
    for compared in spec.compare:
        lines += ["", f"compared with {compared.get('paper')}:"]
        lines += _fields({k: v for k, v in compared.items() if k != "paper"})
    lines += ["", f"rbench plan {spec.name} says what is to run; rbench sweep {spec.name} runs it"]
    return "\n".join(lines)


PROTOCOLS = {
    "paper": "the paper's",
    "reduced": "the paper's, reduced",
    "own": "rbench's own",
}


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _prose(text: str) -> list[str]:
    """``text`` in lines of at most WIDTH letters; empty lines separate paragraphs."""
    paragraphs = [" ".join(part.split()) for part in text.strip().split("\n\n")]
    lines = [[*textwrap.wrap(part, WIDTH), ""] for part in paragraphs if part]
    return [line for part in lines for line in part][:-1]


def _fields(fields: dict[str, Any]) -> list[str]:
    """A line for each field, its name in a column; long values go on in the next line."""
    flat = {name: _value(value) for name, value in dotted(fields).items()}
    width = min(max(map(len, flat), default=0), 40)
    lines = []
    for name, text in flat.items():
        first, *rest = textwrap.wrap(text, WIDTH - width - 4, break_long_words=False) or [""]
        lines += [f"  {name:<{width}}  {first}", *(f"  {'':<{width}}  {line}" for line in rest)]
    return lines


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value)) or "none"
    return printable(value, 400)
