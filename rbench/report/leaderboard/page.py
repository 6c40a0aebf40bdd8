"""All tables and figures as one self-contained page that loads nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from rbench.errors import UserError
from rbench.report.html import markup, render
from rbench.report.leaderboard.cost import made_on
from rbench.report.leaderboard.entries import Table
from rbench.report.leaderboard.page_data import Environments, Json, table_data
from rbench.report.leaderboard.table_markdown import (
    CUT,
    METHOD,
    SELECTED_NOTE,
    counted,
    full_name,
    leader,
    sides_of,
)
from rbench.report.leaderboard.text import quantity

MOST_SIDES = 100
"""Lines of a side-by-side table on the page; the CSV has all."""


@dataclass(frozen=True)
class Picture:
    """A figure for the page: its bytes, and what it shows.

    Of those with a place at the ``front`` the page begins with the first, and its ``findings``.
    """

    name: str
    title: str
    media: str
    content: bytes
    suite: str = ""
    front: int | None = None
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """What one table adds to the page: its section, and the JSON that the script reads."""

    section: str
    data: str


def part(table: Table, records: str, environments: Environments) -> Part:
    """The part of ``table``."""
    marked = any(entry.selected_on_test for entry in table.entries)
    notes = [made_on(table), CUT if table.cut else "", SELECTED_NOTE if marked else ""]
    section = render(
        "section.html",
        table=table,
        leader=leader(table),
        notes=list(filter(None, notes)),
        sides=_sides(table),
        method=f"{METHOD} {counted(table)}".rstrip(),
    )
    return Part(str(section), _json(table_data(table, records, environments)))


def to_html(
    tables: Sequence[Table],
    records: str = "",
    pictures: Sequence[Picture] = (),
    extra: str = "",
    made: Sequence[Part] | None = None,
    docs: str = "",
) -> str:
    """The page. ``records``: path from the page to the records, with a slash at the end.

    ``extra`` is markup of our own making that follows the tables (what papers report); ``made``
    are the tables' parts, where they are there already; ``docs`` is the documentation's address.
    """
    environments = Environments(tables)
    if made is None:
        made = [part(table, records, environments) for table in tables]
    listed = ",".join(one.data for one in made)
    content = f'{{"tables":[{listed}],"environments":{_json(list(environments.texts))}}}'
    script = "\n".join([_bundle(), *map(_asset, ("stats.js", "compare.js", "page.js"))])
    first = _first(pictures)
    page = render(
        "page.html",
        title="rbench leaderboard",
        docs=docs,
        policy=markup(
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
            f"form-action 'none'; script-src 'sha256-{_hash(script)}'"
        ),
        style=markup(_asset("page.css")),
        records=sum(table.records for table in tables),
        count=len(tables),
        front=_front(first, tables),
        groups=_groups(tables, made),
        figures=[_figure(picture) for picture in pictures if picture is not first],
        extra=markup(extra),
        content=markup(content),
        script=markup(script),
    )
    return f"{page}\n"


def _first(pictures: Sequence[Picture]) -> Picture | None:
    """The figure that the page begins with."""
    able = [(picture.front, picture.name, picture) for picture in pictures if picture.front]
    return min(able, key=lambda one: one[:2])[2] if able else None


def _front(first: Picture | None, tables: Sequence[Table]) -> Json | None:
    """What the first screen says: the figure's findings, or who leads the first tables."""
    if not tables:
        return None
    said = list(first.findings) if first else []
    if not said:
        best: dict[str, str] = {}
        for table in tables:
            if text := leader(table):
                best.setdefault(table.question, f"{table.title}: {text}")
        said = list(best.values())[:3]
    lead = {"slug": tables[0].slug, "title": tables[0].title or tables[0].name}
    shown = _figure(first) if first else {"source": "", "title": "", "suite": ""}
    return {**shown, "findings": said, "lead": lead}


def _groups(tables: Sequence[Table], made: Sequence[Part]) -> list[Json]:
    """Tables and their sections by question, in the order of the tables."""
    found: dict[str, Json] = defaultdict(lambda: {"listed": [], "sections": []})
    for table, one in zip(tables, made, strict=True):
        group = found[table.question]
        group["question"] = table.question or "Tables"
        group["sections"].append(markup(one.section))
        group["listed"].append(
            {
                "slug": table.slug,
                "title": table.title or table.name or "unnamed protocol",
                "rows": len(table.entries),
                "cut": table.cut,
                "best": _best(table),
            }
        )
    return list(found.values())


def _best(table: Table) -> str:
    first = next((entry for entry in table.entries if entry.rank == 1), None)
    if first is None or table.primary is None:
        return ""
    metric = table.primary
    value = quantity(first.summaries[metric.name], metric.unit)
    return f"{metric.name} {value}: {full_name(first)}"


def _sides(table: Table) -> Json | None:
    if table.primary is None or not table.frozen_vs_learnable:
        return None
    policies, rows = sides_of(table, table.primary, MOST_SIDES)
    return {
        "metric": table.primary.name,
        "heads": ["network", "learnable", *policies, "frozen − learnable", "verdict"],
        "rows": rows,
        "more": len(table.frozen_vs_learnable) - MOST_SIDES,
        "opened": len(table.frozen_vs_learnable) <= 12,
    }


def _figure(picture: Picture) -> dict[str, Any]:
    return {
        "title": picture.title or picture.name,
        "suite": picture.suite,
        "source": markup(_data_url(picture)),
    }


def _data_url(picture: Picture) -> str:
    if picture.media == "image/svg+xml":  # as text it is a quarter smaller than in base64
        return f"data:{picture.media}," + quote(picture.content, safe=" /:;,.=-+()!*@?$[]{}|")
    return f"data:{picture.media};base64,{base64.b64encode(picture.content).decode()}"


def _json(content: Json | list[str]) -> str:
    text = msgspec.json.encode(content).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _asset(name: str) -> str:
    return (files("rbench.report.leaderboard") / "assets" / name).read_text(encoding="utf-8")


@cache
def _bundle() -> str:
    """DataTables from itables' offline bundle, its exports made a global."""
    package = find_spec("itables")
    text = ""
    for folder in (package and package.submodule_search_locations) or ():
        # Not by importing it, since that would import pandas.
        path = Path(folder, "html", "dt_bundle.js")
        text = path.read_text(encoding="utf-8") if path.is_file() else text
    if not text:
        raise UserError("the page needs itables: pip install 'itables>=2.5,<3'")
    found = re.search(r"export\s*\{([^}]*)\};?", text)
    name = re.search(r"([\w$]+) as default", found[1]) if found else None
    if found is None or name is None or "</script" in text.lower():
        raise UserError("this version of itables has an unknown bundle; 2.9 is known to work")
    code = text[: found.start()] + text[found.end() :]
    return f"{code}\nglobalThis.rbenchDataTable={name[1]};"
