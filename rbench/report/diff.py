"""Two configurations against each other: fields that differ, and metrics with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rbench.errors import UserError
from rbench.records.predictions import predictions_of
from rbench.records.record import Record, RecordError, read
from rbench.report.leaderboard.reader import record_files
from rbench.report.leaderboard.stats import Difference, Sample, difference, within_run
from rbench.spec.columns import columns
from rbench.spec.conditions import holds, parse_conditions

Loaded = tuple[Path, Record]


@dataclass(frozen=True)
class McNemar:
    """Images that only the first, and only the second, classifies correctly; exact p-value."""

    only_a: int
    only_b: int
    p: float


@dataclass(frozen=True)
class Arm:
    """The runs of one configuration, by seed."""

    columns: dict[str, Any]
    runs: dict[int, Loaded]

    def values(self, metric: str) -> Sample:
        """The metric's finite values by seed; of one seed with the spread over its networks."""
        found = Sample()
        for seed, (_, record) in self.runs.items():
            for m in record.metrics:
                if m.name == metric and m.value is not None:
                    found[seed] = m.value
                    found.within_run = within_run(m) or found.within_run
        return found

    @property
    def metrics(self) -> dict[str, bool | None]:
        """Names of the metrics, and whether more is better."""
        return {m.name: m.higher_is_better for _, r in self.runs.values() for m in r.metrics}


def load(folders: Iterable[Path]) -> list[Loaded]:
    """The records of runs that are done; files that are not records are skipped."""
    found = []
    for folder in folders:
        for name in sorted(record_files(folder)) if folder.is_dir() else ():
            try:
                record = read(folder / name)
            except RecordError:
                continue
            if record.status == "done":
                found.append((folder / name, record))
    return found


def select(text: str, records: Sequence[Loaded]) -> Arm:
    """The configuration that a record file, a slug or conditions name, with all its seeds.

    UserError where nothing, or more than one configuration, is named.
    """
    if text.endswith(".json") and Path(text).is_file():
        chosen = [(Path(text), read(Path(text)))]
    elif found := [one for one in records if one[0].stem == text]:
        chosen = found
    else:
        where = parse_conditions([text], "diff")
        chosen = [one for one in records if holds(where, _fields(one[1]).get)]
    if not chosen:
        raise UserError(f"no finished run fits '{text}'")
    wanted = _configuration(chosen[0][1])
    for _, record in chosen:
        if _configuration(record) != wanted:
            names = ", ".join(differing(_configuration(chosen[0][1]), _configuration(record)))
            raise UserError(f"'{text}' fits several configurations; also name one of {names}")
    same = [one for one in [*chosen, *records] if _configuration(one[1]) == wanted]
    runs: dict[int, Loaded] = {}
    for path, record in same:
        runs.setdefault(record.seed, (path, record))
    return Arm(wanted, runs)


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Fields in which two configurations differ, and both values."""
    names = dict.fromkeys([*a, *b])
    return {n: (a.get(n), b.get(n)) for n in names if a.get(n) != b.get(n)}


def compared(a: Arm, b: Arm) -> dict[str, Difference | None]:
    """B - A of every metric that both have."""
    return {n: difference(b.values(n), a.values(n)) for n in a.metrics if n in b.metrics}


def mcnemar(only_a: int, only_b: int) -> McNemar:
    """McNemar's exact test, two-sided: the discordant images are split evenly (McNemar, 1947)."""
    from scipy.stats import binomtest

    n = only_a + only_b
    return McNemar(only_a, only_b, float(binomtest(only_a, n).pvalue) if n else 1.0)


def images(a: Arm, b: Arm) -> dict[int, McNemar]:
    """McNemar's test for each shared seed whose runs both kept predictions of the same images."""
    found = {}
    for seed in sorted(a.runs.keys() & b.runs.keys()):
        one, other = (predictions_of(arm.runs[seed][0]) for arm in (a, b))
        if one is None or other is None or one.labels.tolist() != other.labels.tolist():
            continue
        right_a, right_b = one.predicted == one.labels, other.predicted == other.labels
        found[seed] = mcnemar(int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum()))
    return found


def _fields(record: Record) -> dict[str, Any]:
    return {**columns(record.resolved), "seed": record.seed}


def _configuration(record: Record) -> dict[str, Any]:
    return {k: v for k, v in columns(record.resolved).items() if k != "seed"}
