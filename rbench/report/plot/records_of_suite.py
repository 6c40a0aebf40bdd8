"""The records of a suite, wherever they lie in a folder, and the index of drawn figures."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rbench.errors import UserError
from rbench.files import write_atomically
from rbench.plugin.catalog import Catalog
from rbench.plugin.components import Architecture, Initializer, Task
from rbench.records import record as records
from rbench.records.record import Record
from rbench.report.leaderboard.build import INDEX
from rbench.report.leaderboard.reader import canonical, read_rows
from rbench.report.plot.drawing import Drawn
from rbench.report.plot.points import Item, items
from rbench.report.plot.tuning import tried_items
from rbench.spec.parse import parse
from rbench.spec.run_spec import LOCAL_FIELDS, RunSpec
from rbench.spec.suite_spec import SuiteSpec

FREE_FIELDS = frozenset({*LOCAL_FIELDS, "seed", "skip_bad"})
"""Fields in which a record may differ from the suite's run that it fills."""
DESCRIBING = tuple(
    name
    for name in RunSpec.model_fields
    if name.startswith(("model", "init", "freeze", "task"))
    or name in ("pretrained", "unfreeze", "training")
)
"""Fields that say what was trained and how: those that a suite does not write are defaults."""


def suite_items(
    suite: SuiteSpec,
    folder: Path,
    overrides: Mapping[str, Any] | None = None,
    skip_broken: bool = False,
) -> list[Item]:
    """Finished records under ``folder`` that are runs of ``suite``.

    A record is a run of the suite if it agrees in every field that the suite sets and has the
    defaults of the other fields of the network, its freezing, task and training; what else the
    suite leaves open (such as where the data are, or what is tuned) may be anything. An option
    that is written with its default is the same as one that is not written. ``overrides`` are those
    of the sweep. The column ``arm`` of each item has the configuration's name.
    """
    wanted: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    comparable = _Comparable(Catalog.from_environment())
    tuned = () if suite.tune is None else tuple(suite.tune.axes)
    arms = suite.names()
    runs = suite.runs_by_configuration(overrides)
    if suite.tune is not None:
        runs += [(trial.arm, trial.spec) for trial in suite.trials(overrides)]
    for arm, run in runs:
        names = tuple(sorted({*run.model_fields_set, *DESCRIBING} - FREE_FIELDS))
        wanted[names].setdefault(comparable.fields(run, names, tuned), arms[arm])
    found: list[tuple[Record, Path | None]] = []
    filled: dict[str, str] = {}
    for row in read_rows(folder, skip_broken):
        if row.status != "done":
            continue
        path = folder / row.path
        record = records.read(path)
        spec = RunSpec.model_validate(record.spec)
        for names, arms_by_fields in wanted.items():
            if (name := arms_by_fields.get(comparable.fields(spec, names, tuned))) is not None:
                found.append((record, path.parent))
                filled[record.digest] = name
                break
    named = [
        replace(item, columns={**item.columns, "arm": filled[item.record.digest]})
        for item in items(found)
    ]
    if suite.tune is not None and not any(i.get("measure_on") == "val" for i in named):
        named += tried_items(named, suite.tune)
    return named


def update_index(folder: Path, suite: str, drawn: Iterable[Drawn]) -> None:
    """Note in the folder's index what each drawn file shows.

    Other suites' entries stay, but for files that this suite has written over.
    """
    drawn = list(drawn)
    written = {one.file for one in drawn if one.content is not None}
    index = folder / INDEX
    try:
        entries = json.loads(index.read_text(encoding="utf-8")) if index.is_file() else []
        kept = [e for e in entries if e["suite"] != suite and e["file"] not in written]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{index} is not an index of figures; remove it") from error
    new: list[dict[str, Any]] = [
        {
            "file": one.file,
            "name": one.figure.name,
            "title": one.figure.title,
            "paper": one.figure.paper,
            "suite": suite,
            "records": one.records,
            # Only where the page may begin with it.
            **({"front": one.figure.front} if one.figure.front else {}),
            **({"findings": one.findings} if one.findings else {}),
        }
        for one in drawn
        if one.content is not None
    ]
    entries = sorted(kept + new, key=lambda entry: (entry["suite"], entry["file"]))
    write_atomically(index, json.dumps(entries, indent=1) + "\n")


class _Comparable:
    """Fields of runs as text, equal where the runs are, whichever defaults they write."""

    def __init__(self, catalog: Catalog) -> None:
        self._find: dict[str, Callable[[str], Architecture | Initializer | Task]] = {
            "model": catalog.architecture,
            "init": catalog.initializer,
            "init_norm": catalog.initializer,
            "task": catalog.task,
        }
        self._options: dict[tuple[str, str, str], dict[str, Any]] = {}

    def fields(self, spec: RunSpec, names: tuple[str, ...], tuned: tuple[str, ...]) -> str:
        content = spec.model_dump(mode="json", include=set(names))
        for axis in tuned:
            *parents, last = axis.split(".")
            table: Any = content
            for parent in parents:
                table = table.get(parent, {})
            table.pop(last, None)
        for field in self._find:
            name, table = getattr(spec, field), content.get(f"{field}_kwargs")
            if name and table:
                content[f"{field}_kwargs"] = self._without_defaults(field, name, table)
        return canonical({name: content.get(name) for name in names})

    def _without_defaults(self, field: str, name: str, table: dict[str, Any]) -> dict[str, Any]:
        """``table``, or as it is where the component is not installed or has changed."""
        key = field, name, canonical(table)
        if key not in self._options:
            try:
                options = parse(self._find[field](name).options, table, name)
                self._options[key] = options.model_dump(mode="json", exclude_defaults=True)
            except UserError:
                self._options[key] = table
        return self._options[key]
