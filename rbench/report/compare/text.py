"""A comparison as markdown, as JSON, and as a section of the page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rbench.report.compare.claims import is_judged
from rbench.report.compare.report import NOT_MEASURED, ClaimRow, Report, ValueRow
from rbench.report.html import markup, render
from rbench.report.leaderboard.text import markdown, mean_and_spread, number

if TYPE_CHECKING:
    from markupsafe import Markup

VALUE_HEADS = ["source", "value", "reported", "measured", "difference", "n", "protocol", "verdict"]
CLAIM_HEADS = ["source", "claim", "evidence", "protocol", "verdict"]
CLASSES = {"agrees": "good", "holds": "good", "differs": "bad", "does not hold": "bad"}
"""Verdicts by color on the page; the others are gray."""


def to_markdown(made: Report, unmeasured: bool = True, level: int = 2) -> str:
    """Two tables for each paper; with ``unmeasured`` off, only what has records."""
    parts = []
    for paper in made.papers:
        values = _of(made.values, paper.name, unmeasured)
        claims = _of(made.claims, paper.name, unmeasured)
        parts.append(f"{'#' * level} {markdown(paper.title, 200)}\n")
        parts.append(f"{tally(made, paper.name)}\n")
        if values:
            rows = [[markdown(cell, 200) for cell in _value_cells(row)] for row in values]
            parts.append(_table(VALUE_HEADS, rows))
        if claims:
            rows = [[markdown(cell, 400) for cell in _claim_cells(row)] for row in claims]
            parts.append(_table(CLAIM_HEADS, rows))
    return "\n".join(parts)


def to_summary(made: Report) -> str:
    """For a README: a sentence, and a table of the claims that were judged, for each paper."""
    parts = []
    for paper in made.papers:
        claims = _of(made.claims, paper.name, False)
        claims = [row for row in claims if is_judged(row.verdict)]
        parts.append(f"**{markdown(paper.title, 200)}.** {tally(made, paper.name)}\n")
        if claims:
            rows = {
                (row.claim.source, row.claim.text, row.claim.metric, _by_protocol(row))
                for row in claims
            }
            cells = [[markdown(cell, 200) for cell in row] for row in sorted(rows)]
            parts.append(_table(["source", "claim", "measured in", "verdict"], cells))
    return "\n".join(parts)


def to_html(made: Report) -> Markup:
    """A section of the page for each paper that has a record; empty where none has."""
    sections = []
    for place, paper in enumerate(made.papers):
        values = _of(made.values, paper.name, False)
        claims = _of(made.claims, paper.name, False)
        tables = [
            {"title": title, "heads": heads, "rows": rows}
            for title, heads, rows in (
                ("Reported values", VALUE_HEADS, [_value_cells(row) for row in values]),
                ("Claims", CLAIM_HEADS, [_claim_cells(row) for row in claims]),
            )
            if rows
        ]
        if tables:
            words = tally(made, paper.name)
            fields = {"place": place, "title": paper.title, "tally": words, "tables": tables}
            sections.append(render("paper.html", classes=CLASSES, **fields))
    return markup("\n").join(sections)


def to_json(made: Report) -> list[dict[str, Any]]:
    """One object a value or claim."""
    found: list[dict[str, Any]] = [
        {
            "kind": "value",
            "paper": row.paper,
            "id": row.value.id,
            "source": row.value.source,
            "metric": row.value.metric,
            "reported": row.value.value,
            "reported_error": row.value.error,
            "measured": row.measured.mean if row.measured else None,
            "measured_std": row.measured.std if row.measured else None,
            "n": row.measured.n if row.measured else 0,
            "difference": row.difference,
            "protocol": row.protocol,
            "departures": list(row.departures),
            "verdict": row.verdict,
        }
        for row in made.values
    ]
    found += [
        {
            "kind": "claim",
            "paper": row.paper,
            "id": row.claim.id,
            "source": row.claim.source,
            "claim": row.claim.text,
            "evidence": [
                {"where": r.where, "found": r.text, "verdict": r.verdict} for r in row.results
            ],
            "protocol": row.protocol,
            "departures": list(row.departures),
            "verdict": row.verdict,
        }
        for row in made.claims
    ]
    return found


def tally(made: Report, paper: str) -> str:
    """How much of a paper was measured, and with what verdicts, in two sentences."""
    said = []
    groups = (
        ("reported values", [row.verdict for row in made.values if row.paper == paper]),
        ("claims", [row.verdict for row in made.claims if row.paper == paper]),
    )
    for name, verdicts in groups:
        if not verdicts:
            continue
        measured = [verdict for verdict in verdicts if verdict != NOT_MEASURED]
        words = [_in_short(verdict) for verdict in measured]
        counts = ", ".join(_counted(words.count(word), word) for word in sorted(set(words)))
        text = f"{len(measured)} of {len(verdicts)} {name} measured"
        said.append(f"{text}: {counts}." if counts else f"{text}.")
    return " ".join(said)


PLURAL = {"agrees": "agree", "differs": "differ", "holds": "hold", "does": "do"}


def _counted(count: int, verdict: str) -> str:
    first, _, rest = verdict.partition(" ")
    return f"{count} {first if count == 1 else PLURAL.get(first, first)} {rest}".rstrip()


def _in_short(verdict: str) -> str:
    """A verdict for counting; how many results it rests on is in the rows."""
    if verdict.startswith("holds in none"):
        return "does not hold"
    return "holds in part" if verdict.startswith("holds in") else verdict


def _of(rows: Iterable[Any], paper: str, unmeasured: bool) -> list[Any]:
    return [
        row for row in rows if row.paper == paper and (unmeasured or row.verdict != NOT_MEASURED)
    ]


def _value_cells(row: ValueRow) -> list[str]:
    value = row.value
    reported = number(value.value, 2)
    if value.error is not None:
        reported += f" ± {number(value.error, 2)}"
    gap = "–" if row.difference is None else number(row.difference, 2)
    return [
        value.source,
        value.id,
        reported,
        mean_and_spread(row.measured, "%" if abs(value.value) > 1 else ""),
        gap if gap.startswith(("−", "–")) else f"+{gap}",
        str(row.measured.n) if row.measured else "–",
        _protocol(row.protocol, row.departures),
        row.verdict,
    ]


def _claim_cells(row: ClaimRow) -> list[str]:
    shown = [f"{result.where}: {result.text}: {result.verdict}" for result in row.results[:4]]
    if len(row.results) > 4:
        shown.append(f"and {len(row.results) - 4} more")
    protocol = _protocol(row.protocol, row.departures)
    return [row.claim.source, row.claim.text, "; ".join(shown) or "–", protocol, _by_protocol(row)]


def _by_protocol(row: ClaimRow) -> str:
    """A claim's verdict; where two or three protocols say different things, what each says.

    The protocols are told apart by the parts of their names that not all of them have.
    """
    names = [name.split(" · ") for name, _ in row.by_protocol]
    verdicts = [verdict for _, verdict in row.by_protocol]
    parts = [", ".join(w for w in words if any(w not in o for o in names)) for words in names]
    simple = not any(verdict.startswith("holds in") for verdict in verdicts)
    if row.verdict.startswith("holds in") and simple and len(names) <= 3 and all(parts):
        pairs = sorted(zip(parts, verdicts, strict=True))
        return "; ".join(f"{verdict} ({part})" for part, verdict in pairs)
    return row.verdict


def _protocol(name: str, departures: tuple[str, ...]) -> str:
    if not name:
        return "–"
    shown = "; ".join(departures[:3]) + (" ..." if len(departures) > 3 else "")
    return f"{name}: {shown}" if shown else name


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
