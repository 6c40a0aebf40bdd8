"""Rows together: those of one configuration, the metrics of one column, the titles of tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from rbench.errors import printable
from rbench.records.titles import short
from rbench.report.leaderboard.rows import Row, Value
from rbench.spec.columns import flatten, policy
from rbench.spec.protocol import in_words, rules


def configurations(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each configuration.

    Freeze policies that froze the same tensors, such as ``layer3`` and ``layer3.*``, are one
    configuration; the shortest of them comes first and names it. Frozen filters that are not kept
    have no name, so that the number of frozen parameters counts as well. Where that number is
    unknown or 0, policies stay apart.
    """
    by_configuration: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_configuration[row.configuration].append(row)
    together: dict[tuple[bytes, str, int | None], list[list[Row]]] = defaultdict(list)
    for _, members in sorted(by_configuration.items()):
        first = members[0]
        rest = {k: v for k, v in first.identity.items() if k != "freeze"}
        done = next((row for row in members if row.frozen_names and row.frozen_parameters), None)
        key = msgspec.json.encode(rest, order="sorted")
        what = (done.frozen_names, done.frozen_parameters) if done else (first.configuration, None)
        together[key, *what].append(members)
    found = []
    for groups in together.values():
        groups.sort(key=lambda members: (len(_policy(members)), _policy(members)))
        found += _editions([row for members in groups for row in members])
    return found


def _editions(rows: list[Row]) -> list[list[Row]]:
    """The rows of a configuration, apart where a plugin's code was edited within one release.

    The code of another release counts as the same: its author raises ``revision`` where the
    numbers change.
    """
    if not any(row.code for row in rows):
        return [rows]
    editions: list[tuple[dict[tuple[str, str], str], list[int]]] = []
    for place, row in sorted(enumerate(rows), key=lambda pair: pair[1].started):
        code = {(name, release): source for name, (source, release) in row.code.items()}
        for known, members in reversed(editions):
            if all(known.get(key, source) == source for key, source in code.items()):
                known.update(code)
                members.append(place)
                break
        else:
            editions.append((code, [place]))
    return [[rows[place] for place in sorted(members)] for _, members in editions]


def _policy(members: Sequence[Row]) -> str:
    return policy(members[0].identity.get("freeze"))


@dataclass
class MetricColumns:
    """The columns of a table's metrics.

    Runs that measured a metric with other options, such as an attack on fewer images, have it in
    a column of its own, which names the options.
    """

    names: dict[tuple[str, str], str] = field(default_factory=dict)

    def name(self, row: Row, metric: Value) -> str:
        """The column of a value."""
        if not self.names:
            return metric.name
        return self.names.get((metric.name, asked_as(row, metric)), metric.name)


def columns_by_options(rows: Sequence[Row]) -> MetricColumns:
    """The columns; of several options for a metric the most frequent ones keep its plain name."""
    together: dict[bytes, list[Row]] = defaultdict(list)
    for row in rows:
        together[msgspec.json.encode(row.asked)].append(row)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for members in together.values() if len(together) > 1 else ():
        for row in members:
            for metric in row.metrics:
                found[metric.name][asked_as(row, metric)] += 1
    columns = MetricColumns()
    for name, options in found.items():
        if len(options) < 2:
            continue
        ordered = sorted(options, key=lambda text: (-options[text], text))
        for text in ordered[1:]:
            columns.names[name, text] = f"{name} ({_difference(ordered[0], text)})"
    return columns


def asked_as(row: Row, metric: Value) -> str:
    """The options and the revision of the component that measured a value, as JSON.

    Old records do not name the component: its name is how the value's name begins. Where none
    does, all components of the record are taken.
    """
    able = [
        one
        for one in row.asked
        if (name := str(one.get("name"))) == metric.metric
        or (not metric.metric and metric.name.startswith(name))
    ]
    longest = max((len(str(one.get("name"))) for one in able), default=0)
    chosen: Any = [one for one in able if len(str(one.get("name"))) == longest] or row.asked
    return msgspec.json.encode(chosen, order="sorted").decode()


def _difference(usual: str, other: str) -> str:
    """What of ``other`` differs from the usual options, in words."""
    base, own = (flatten(dict(enumerate(msgspec.json.decode(text)))) for text in (usual, other))
    parts = [
        f"{str(key).rpartition('.')[2]} {short(own.get(key))}"
        for key in sorted({*base, *own}, key=str)
        if base.get(key) != own.get(key)
    ]
    return printable(", ".join(parts), 60)


DIGESTS = ("revision", "content", "source")
"""Ends of the names of what tells versions of data and code apart."""


def _in_few_words(key: str, value: Any) -> str:
    if not key.endswith(("content", "source")):
        return in_words(key, value)
    return f"{key.replace('.', ' ')} {str(value).rpartition(':')[2][:8]}"


def titles_apart(protocols: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    """A title for each protocol; those that would share one name what differs between them."""
    titles = {name: min(row.protocol_name for row in rows) for name, rows in protocols.items()}
    shared: dict[str, list[str]] = defaultdict(list)
    for name, text in titles.items():
        shared[text].append(name)
    for text, names in shared.items():
        if len(names) < 2:
            continue
        parts = {name: flatten(rules(protocols[name][0].identity)) for name in names}
        keys = sorted({key for one in parts.values() for key in one})
        differing = [k for k in keys if len({repr(one.get(k)) for one in parts.values()}) > 1]
        # Digests say little: they are shown where nothing else tells two tables apart.
        telling = [k for k in differing if not k.endswith(DIGESTS)] or differing
        for name in names:
            said = [_in_few_words(key, parts[name].get(key)) for key in telling[:4]]
            titles[name] = printable(" · ".join([text, *([", ".join(said)] if said else [])]))
    return titles
