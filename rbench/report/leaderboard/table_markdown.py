"""Tables as markdown that fits a README."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rbench.report.leaderboard.cost import made_on
from rbench.report.leaderboard.entries import SELECTED, Entry, MetricColumn, Table
from rbench.report.leaderboard.labels import differences
from rbench.report.leaderboard.multiplicity import MOST_RANKED
from rbench.report.leaderboard.stats import Difference, Summary, difference
from rbench.report.leaderboard.text import (
    count,
    decimals,
    duration,
    markdown,
    mean_and_spread,
    number,
    quantity,
)

METHOD = (
    "Mean ± standard deviation over seeds (ddof 1). Differences are means with 95 % confidence "
    "intervals: a paired t-test over the seeds that both have if these are two or more, else "
    "Welch's, over a run's random networks where there is one run of many."
)
RANKS = (
    "Ranks in brackets: where the row may stand, with 95 % confidence for all rows together "
    "(t-tests of all pairs, Holm's correction)."
)
SELECTED_NOTE = (
    f"Rows marked '{SELECTED}' kept the epoch that was best on the test split, so that their "
    "numbers are too good."
)
CUT = "All runs here were cut short: they compare with each other and with nothing else."


@dataclass(frozen=True)
class Side:
    """One network learnable and under each freeze policy: values, their gaps, verdicts."""

    name: str
    values: list[str]
    gaps: str
    words: list[str]


def to_markdown(tables: list[Table], at_most: int | None = None, level: int = 2) -> str:
    """Every table with a heading; ``at_most`` entries of each."""
    if not tables:
        return "No records yet.\n"
    return "\n".join(_section(table, at_most, level) for table in tables)


def ranking(table: Table, at_most: int | None = None) -> str:
    """The ranked entries of one table."""
    entries = table.entries if at_most is None else table.entries[:at_most]
    inits = len({entry.init for entry in table.entries}) > 1
    heads = ["#", "model", *(["init"] if inits else []), "frozen", "learns"]
    heads += [_heading(metric) for metric in table.metrics] + ["seeds"]
    lines = [_line(heads), _line(["--:", "---", *(["---"] if inits else []), "---", "--:"])[:-2]]
    lines[1] += " | " + " | ".join(["--:"] * (len(table.metrics) + 1)) + " |"
    for entry in entries:
        name = entry.model + (f" ({entry.notes})" if entry.notes else "")
        cells = [entry.place, markdown(name)]
        cells += [markdown(entry.init)] if inits else []
        cells += [markdown(entry.frozen), markdown(entry.what_learned)]
        cells += [mean_and_spread(entry.summaries.get(m.name), m.unit) for m in table.metrics]
        cells += [str(entry.seeds)]
        lines.append(_line(cells))
    if len(entries) < len(table.entries):
        lines.append(f"\n{len(table.entries) - len(entries)} more rows are in the CSV.")
    return "\n".join(lines) + "\n"


def in_short(table: Table, at_most: int = 12) -> str:
    """The first rows by their first metric, fit for a README, and what the runs took."""
    metric = table.primary
    heads = ["network", "frozen", "learns", *([_heading(metric)] if metric else [])]
    heads += ["n", "time a run"]
    lines = [_line(heads), _line(["---", "---", *["--:"] * (len(heads) - 2)])]
    for entry in [one for one in table.entries if one.rows][:at_most]:
        name = entry.model + (f" ({entry.notes})" if entry.notes else "")
        cells = [markdown(name), markdown(entry.frozen), count(entry.learned)]
        if metric:
            cells.append(mean_and_spread(entry.summaries.get(metric.name), metric.unit))
        seconds = sorted(row.seconds for row in entry.rows)
        lines.append(_line([*cells, str(entry.seeds), duration(seconds[len(seconds) // 2])]))
    title, said = markdown(table.title or table.name, 300), markdown(leader(table), 600)
    table_text = "\n".join(lines)
    return f"**{title}.** {said}\n\n{table_text}\n\n{markdown(made_on(table), 400)}.\n"


def side_by_side(table: Table) -> str:
    """Learnable and frozen forms of the same network, with the gap; empty where there are none."""
    if table.primary is None or not table.frozen_vs_learnable:
        return ""
    policies, sides = sides_of(table, table.primary)
    heads = ["model", "learnable", *map(markdown, policies), "frozen − learnable", "verdict"]
    lines = [_line(heads), _line(["---"] + ["--:"] * (len(policies) + 2) + ["---"])]
    for one in sides:
        lines.append(
            _line([markdown(one.name), *one.values, one.gaps, "; ".join(one.words) or "–"])
        )
    return "\n".join(lines) + "\n"


def sides_of(
    table: Table, metric: MetricColumn, at_most: int | None = None
) -> tuple[list[str], list[Side]]:
    """The freeze policies beside which networks are learnable too, and a line a network."""
    groups = table.frozen_vs_learnable
    policies = sorted({entry.freeze for group in groups for entry in group} - {"none"})
    sides = []
    for group in groups[:at_most]:
        by_policy = {entry.freeze: entry for entry in group}
        values = [
            mean_and_spread(one.summaries.get(metric.name), metric.unit) if one else "–"
            for one in map(by_policy.get, ["none", *policies])
        ]
        name = group[0].model + (f", {i}" if (i := group[0].init) != "default" else "")
        sides.append(Side(name, values, *_gap_cells(by_policy, policies, metric)))
    return policies, sides


def leader(table: Table) -> str:
    """Who leads, by how much, and whether that is more than noise; plain text."""
    ranked = [entry for entry in table.entries if entry.rank is not None]
    metric = table.primary
    if metric is None or not ranked:
        return ""
    first = ranked[0]
    value = quantity(first.summaries[metric.name], metric.unit)
    name = full_name(first)
    if len(ranked) == 1:
        return f"{name} leads: {metric.name} {value}, alone so far."
    second = ranked[1]
    other = full_name(second)
    if name == other:
        name, other = (f"{name} ({what})" for what in differences([first, second]))
    text = f"{name} leads: {metric.name} {value}"
    gap = difference(first.values[metric.name], second.values[metric.name])
    if gap is None:
        return text + "."
    word = gap.verdict(metric.higher_is_better, 2 if metric.unit == "%" else None)
    tail = word if word != "better" else "beyond the noise"
    text = f"{text}, {gap_text(gap, metric.unit)} ahead of {other}: {tail}."
    if first.rank_interval is None:
        return text
    low, high = first.rank_interval
    place = f"rank {low}" if low == high else f"any rank from {low} to {high}"
    return f"{text} With all {len(ranked)} rows compared, it may have {place}."


def full_name(entry: Entry) -> str:
    """Network, initializer and what of it learned, in one phrase."""
    parts = [entry.model]
    if entry.init != "default":
        parts.append(f"drawn by {entry.init}")
    if not entry.trained:
        parts.append("untrained")
    elif entry.freeze != "none":
        parts.append(f"{entry.freeze} frozen")
    else:
        parts.append("partly frozen by design" if entry.first.frozen_parameters else "learnable")
    if entry.selected_on_test:
        parts.append(SELECTED)
    return ", ".join(parts)


def gap_text(gap: Difference, unit: str = "") -> str:
    """``−1.20 [−1.55, −0.85]``: the difference with its interval, where there is one."""
    spread = abs(gap.high - gap.low) / 4 if gap.low is not None and gap.high is not None else None
    places = 2 if unit == "%" else None
    if places is None and spread:
        places = decimals(Summary(2, gap.value, spread, spread, 0, 0), unit)
    sign = "+" if gap.value > 0 else ""
    text = sign + number(gap.value, places)
    if gap.low is None:
        return text
    return f"{text} [{number(gap.low, places)}, {number(gap.high, places)}]"


def _gap_cells(
    by_policy: Mapping[str, Entry], policies: Sequence[str], metric: MetricColumn
) -> tuple[str, list[str]]:
    """The gaps of the frozen forms to the learnable one as text, and a verdict on each."""
    gaps = [
        gap
        for name in policies
        if (gap := _gap(by_policy.get(name), by_policy.get("none"), metric))
    ]
    texts = "; ".join(gap_text(gap, metric.unit) for gap in gaps) or "–"
    places = 2 if metric.unit == "%" else None
    return texts, [gap.verdict(metric.higher_is_better, places) for gap in gaps]


def _gap(a: Entry | None, b: Entry | None, metric: MetricColumn) -> Difference | None:
    if a is None or b is None or metric.name not in a.values or metric.name not in b.values:
        return None
    return difference(a.values[metric.name], b.values[metric.name])


def _section(table: Table, at_most: int | None, level: int) -> str:
    parts = [f"{'#' * level} {markdown(table.name or 'unnamed protocol', 200)}\n"]
    if text := leader(table):
        parts.append(markdown(text, 600) + "\n")
    parts.append(ranking(table, at_most))
    if sides := side_by_side(table):
        parts.append(f"Frozen and learnable side by side ({markdown(_primary_name(table))}):\n")
        parts.append(sides)
    return "\n".join([*parts, *_notes(table)])


def _notes(table: Table) -> Iterator[str]:
    if made := made_on(table):
        yield f"{markdown(made, 400)}.\n"
    yield f"{METHOD} Protocol `{markdown(table.protocol)}`.\n"
    if text := counted(table):
        yield f"{text}\n"
    if any(entry.selected_on_test for entry in table.entries):
        yield f"{SELECTED_NOTE}\n"
    if table.failed:
        yield f"{len(table.failed)} failed or interrupted runs are not in the numbers.\n"
    if table.cut:
        yield f"{CUT}\n"
    elif any(not entry.comparable for entry in table.entries):
        yield "Rows without a rank are not comparable or lack the first metric.\n"


def counted(table: Table) -> str:
    """How many comparisons the table makes, what chance gives, and what ranks in brackets are."""
    parts = [str(table.comparisons)]
    if any(entry.rank_interval for entry in table.entries):
        parts.append(RANKS)
    elif sum(entry.rank is not None for entry in table.entries) > MOST_RANKED:
        parts.append(f"Ranks of more than {MOST_RANKED} rows have no intervals.")
    return " ".join(filter(None, parts))


def _primary_name(table: Table) -> str:
    return _heading_text(table.primary) if table.primary else ""


def _heading(metric: MetricColumn) -> str:
    return markdown(_heading_text(metric), 60)


def _heading_text(metric: MetricColumn) -> str:
    arrow = {True: " ↑", False: " ↓", None: ""}[metric.higher_is_better]
    return f"{metric.name}{f' ({metric.unit})' if metric.unit else ''}{arrow}"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
