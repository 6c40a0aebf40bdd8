"""All tables and figures as one self-contained page that asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import msgspec

from rbench.errors import UserError
from rbench.report.leaderboard.entries import Table
from rbench.report.leaderboard.page_data import Environments, Json, table_data
from rbench.report.leaderboard.table_markdown import CUT, full_name, gap_cells, leader
from rbench.report.leaderboard.text import escape, mean_and_spread

MOST_SIDES = 100
"""Lines of a side-by-side table on the page; the CSV has all."""


@dataclass(frozen=True)
class Picture:
    """A figure for the page: its bytes, and what it shows."""

    name: str
    title: str
    media: str
    content: bytes
    suite: str = ""


@dataclass(frozen=True)
class Part:
    """What one table adds to the page: its section, and the JSON that the script reads."""

    section: str
    data: str


def part(table: Table, records: str, environments: Environments) -> Part:
    """The part of ``table``."""
    return Part(_section(table), _json(table_data(table, records, environments)))


def to_html(
    tables: Sequence[Table],
    records: str = "",
    pictures: Sequence[Picture] = (),
    extra: str = "",
    title: str = "rbench leaderboard",
    made: Sequence[Part] | None = None,
) -> str:
    """The page. ``records``: path from the page to the records, with a slash at the end.

    ``extra`` is markup of our own making that follows the tables (what papers report); ``made``
    are the tables' parts, where they are there already.
    """
    environments = Environments(tables)
    if made is None:
        made = [part(table, records, environments) for table in tables]
    listed = ",".join(one.data for one in made)
    content = f'{{"tables":[{listed}],"environments":{_json(list(environments.texts))}}}'
    script = f"{_bundle()}\n{_asset('page.js')}"
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        f"form-action 'none'; script-src 'sha256-{_hash(script)}'"
    )
    parts = [
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>",
        f'<meta http-equiv=Content-Security-Policy content="{policy}">',
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        '<meta name=color-scheme content="light dark">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{_asset('page.css')}</style>\n</head>\n<body>",
        _head(tables, title),
        "<main id=main>",
        "<noscript><p class=card>The tables need JavaScript, which this page brings along. "
        "The same tables are CSV and markdown files in the folder tables beside it.</p></noscript>",
        *[one.section for one in made],
        _figures(pictures),
        extra,
        "</main>",
        _FOOT,
        f"<script type=application/json id=data>{content}</script>",
        f"<script type=module>{script}</script>\n</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _head(tables: Sequence[Table], title: str) -> str:
    records = sum(table.records for table in tables)
    lines = []
    for table in tables:
        first = next((entry for entry in table.entries if entry.rank == 1), None)
        best = ""
        if first and table.primary:
            spread = mean_and_spread(first.summaries[table.primary.name], table.primary.unit)
            number = f"{escape(table.primary.name)} {spread} {escape(table.primary.unit)}"
            best = f"{escape(full_name(first), 120)}: {number}"
        rows = "1 row" if len(table.entries) == 1 else f"{len(table.entries)} rows"
        lines.append(
            f'<li><a href="#{escape(table.slug)}"><bdi>{escape(table.name)}</bdi></a> '
            f"<span class=quiet>{rows}</span><br><bdi>{best}</bdi></li>"
        )
    return (
        '<a class=skip href="#main">Skip to the tables</a>\n<header>\n'
        f"<div class=bar><h1>{escape(title)}</h1>"
        "<button id=theme type=button hidden>Dark</button></div>\n"
        "<p>How much of a vision network has to be learned? One table for each protocol: only "
        "what can be compared shares a table. "
        f"{records} finished runs, {len(tables)} {'protocols' if len(tables) != 1 else 'protocol'}"
        ".</p>\n"
        f"<nav aria-label=Protocols><ul class=protocols>{''.join(lines)}</ul></nav>\n</header>"
    )


def _section(table: Table) -> str:
    slug = escape(table.slug)
    parts = [
        f'<section id="{slug}" aria-labelledby="{slug}-h">',
        f'<h2 id="{slug}-h"><bdi>{escape(table.name or "unnamed protocol")}</bdi></h2>',
        f"<p class=lead><bdi>{escape(leader(table), 900)}</bdi></p>" if leader(table) else "",
        f"<p class=quiet>{CUT}</p>" if table.cut else "",
        f'<div class=board data-table="{slug}"></div>',
        _sides(table),
        "<p class=quiet>Mean ± standard deviation over seeds (ddof 1). Differences are means with "
        "95 % confidence intervals: a paired t-test where both have the same seeds, else Welch's, "
        "over a run's random networks where there is one run of many. "
        f"Protocol <code>{escape(table.protocol, 64)}</code>. "
        f'As <a href="tables/{slug}.csv">CSV</a> and <a href="tables/{slug}.md">markdown</a>.</p>',
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _sides(table: Table) -> str:
    if table.primary is None or not table.sides:
        return ""
    metric = table.primary
    policies = sorted({entry.freeze for group in table.sides for entry in group} - {"none"})
    heads = ["network", "learnable", *policies, "frozen − learnable", "verdict"]
    lines = []
    for group in table.sides[:MOST_SIDES]:
        by_policy = {entry.freeze: entry for entry in group}
        name = group[0].model + (f", {i}" if (i := group[0].init) != "default" else "")
        cells = [f"<th scope=row><bdi>{escape(name, 120)}</bdi></th>"]
        for one in ["none", *policies]:
            found = by_policy.get(one)
            value = mean_and_spread(found.summaries.get(metric.name), metric.unit) if found else "–"
            cells.append(f"<td class=num>{value}</td>")
        gaps, words = gap_cells(by_policy, policies, metric)
        cells.append(f"<td class=num>{escape(gaps)}</td>")
        chips = [f'<span class="word {_class(word)}">{escape(word)}</span>' for word in words]
        cells.append(f"<td>{' '.join(chips) or '–'}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    more = len(table.sides) - MOST_SIDES
    note = f"<p class=quiet>{more} more pairs are in the CSV.</p>" if more > 0 else ""
    ends = {0, len(heads) - 1}
    head = "".join(
        f"<th scope=col{'' if place in ends else ' class=num'}><bdi>{escape(text, 60)}</bdi></th>"
        for place, text in enumerate(heads)
    )
    opened = " open" if len(table.sides) <= 12 else ""
    return (
        f"<details class=sides{opened}><summary>Frozen and learnable side by side: "
        f"{escape(metric.name)}</summary><div class=scroll tabindex=0 role=region "
        'aria-label="Frozen and learnable side by side"><table class=plain>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>{note}"
        "</details>"
    )


def _class(word: str) -> str:
    return {"better": "good", "worse": "bad"}.get(word, "even")


def _figures(pictures: Sequence[Picture]) -> str:
    if not pictures:
        return ""
    shown = []
    for picture in pictures:
        source = _data_url(picture)
        title = picture.title or picture.name
        what = f"{title} ({picture.suite})" if picture.suite else title
        shown.append(
            f'<figure><img alt="{escape(title)}" src="{source}" loading=lazy>'
            f"<figcaption><bdi>{escape(what)}</bdi></figcaption></figure>"
        )
    return (
        "<section aria-labelledby=figures-h><h2 id=figures-h>Figures</h2>"
        f"<div class=figures>{''.join(shown)}</div></section>"
    )


def _data_url(picture: Picture) -> str:
    if picture.media == "image/svg+xml":  # as text it is a quarter smaller than in base64
        return f"data:{picture.media}," + quote(picture.content, safe=" /:;,.=-+()!*@?$[]{}|")
    return f"data:{picture.media};base64,{base64.b64encode(picture.content).decode()}"


_FOOT = (
    "<footer><p>Made by <code>rbench leaderboard</code> from the records beside this page; the "
    "same records give the same page. This file asks no server for anything.</p></footer>"
)


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
        # Not by importing it, which brings pandas along.
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
