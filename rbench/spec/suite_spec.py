"""A suite of runs: what its file says, and the runs that follow from it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, JsonValue

from rbench.errors import UserError, printable, suggest
from rbench.plugin.options import Options
from rbench.plugin.recipe import Training
from rbench.spec import registry
from rbench.spec.parse import parse
from rbench.spec.run_spec import RunSpec
from rbench.spec.tune_spec import Trial, TuneSpec, check_tunable


class SuiteSpec(Options):
    """A grid of runs: ``base`` fields, and for each of ``grid`` the product of its lists.

    Keys are fields of :class:`RunSpec` and of :class:`Training`, as in a run file; dots reach into
    tables (``"model_kwargs.width"``). In a grid a list is an axis and anything else a constant.
    Every configuration runs ``seeds`` seeds. ``rbench new-suite NAME`` writes a file to start from.
    """

    name: str
    summary: str
    paper: str | None = Field(None, description="which table or figure, such as 'P2 Fig 4'")
    protocol: Literal["paper", "reduced", "own"] = Field(
        "own", description="whether this is the paper's protocol, a reduced one, or neither"
    )
    discussion: str = ""
    seeds: int = Field(1, ge=1)
    base: dict[str, JsonValue] = {}
    grid: list[dict[str, JsonValue]] = [{}]
    figure: list[dict[str, JsonValue]] = []
    compare: list[dict[str, JsonValue]] = []
    slurm: dict[str, JsonValue] = Field({}, description="options of sbatch, and setup commands")
    tune: TuneSpec | None = None

    def runs(self, overrides: Mapping[str, Any] | None = None) -> list[RunSpec]:
        """Every run of the suite, in order, without repetitions; ``overrides`` win."""
        return [spec for _, spec in self.runs_by_configuration(overrides)]

    def runs_by_configuration(
        self, overrides: Mapping[str, Any] | None = None
    ) -> list[tuple[int, RunSpec]]:
        """The runs of :meth:`runs`, each with its configuration's place in the suite."""
        specs: dict[tuple[str, int], tuple[int, RunSpec]] = {}
        for place, fields in enumerate(self._configurations(overrides)):
            if self.tune is not None:
                # Said explicitly, to tell these runs from the trials.
                fields.setdefault("measure_on", "test")
            # Parsed once for all seeds: a suite may have a hundred thousand runs.
            spec = parse(RunSpec, fields, f"suite {self.name}")
            key = spec.model_dump_json(exclude={"seed"})
            for seed in [spec.seed] if "seed" in fields else range(self.seeds):
                run = spec.model_copy(update={"seed": seed})
                specs.setdefault((key, seed), (place, run))
        return list(specs.values())

    def names(self) -> list[str]:
        """A name for each configuration: its values of the fields that differ in the grid."""
        assignments = list(self._assignments())
        keys = dict.fromkeys(key for assignment in assignments for key in assignment)
        differing = [k for k in keys if len({str(a.get(k)) for a in assignments}) > 1]
        return [
            ", ".join(
                str(a[k]) if k in ("model", "freeze") else f"{k.rpartition('.')[2]} {a[k]}"
                for k in differing
                if k in a
            )
            or self.name
            for a in assignments
        ]

    def trials(self, overrides: Mapping[str, Any] | None = None) -> list[Trial]:
        """The runs that tune the suite: every configuration with every point of ``tune``.

        They are measured on the validation split, by the score alone: the test split has no part.
        """
        if self.tune is None:
            raise UserError(f"the suite {self.name} has no [tune] table")
        found: list[Trial] = []
        points = self.tune.points()
        for arm, configuration in enumerate(self._configurations(overrides)):
            for point in points:
                fields = {**configuration, "metrics": [self.tune.metric], "measure_on": "val"}
                kwargs = fields.pop("metric_kwargs", {})
                if self.tune.metric in kwargs:
                    fields["metric_kwargs"] = {self.tune.metric: kwargs[self.tune.metric]}
                for name, value in point.items():
                    assign(fields, name, value)
                spec = parse(RunSpec, fields, f"suite {self.name}")
                check_tunable(self.name, spec)
                for seed in range(self.tune.seeds):
                    found.append(Trial(arm, point, spec.model_copy(update={"seed": seed})))
        return found

    def _configurations(self, overrides: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
        """The fields of each configuration, as nested tables."""
        for assignment in self._assignments():
            fields: dict[str, Any] = {}
            for table in (self.base, assignment, overrides or {}):
                for key, value in table.items():
                    assign(fields, full_name(key, f"suite {self.name}"), value)
            yield fields

    def _assignments(self) -> Iterator[dict[str, JsonValue]]:
        for table in self.grid:
            axes = [value if isinstance(value, list) else [value] for value in table.values()]
            for values in itertools.product(*axes):
                yield dict(zip(table, values, strict=True))


def read_suite(name_or_path: str) -> SuiteSpec:
    """A registered suite, or one from a ``.toml`` file. UserError names the file and the key."""
    where = f"suite {name_or_path}"
    suite = parse(SuiteSpec, registry.find("suites", name_or_path), where)
    for table, keys in [("[base]", suite.base), *(("[[grid]]", grid) for grid in suite.grid)]:
        for key in keys:
            full_name(key, f"{where}, {table}")
    return suite


def full_name(key: str, where: str) -> str:
    """The full name of a run's field: a recipe's fields need no ``training.`` in front."""
    first = key.split(".")[0]
    if first in RunSpec.model_fields:
        return key
    if first in Training.model_fields:
        return f"training.{key}"
    known = suggest(first, [*RunSpec.model_fields, *Training.model_fields])
    raise UserError(f"{where}: unknown field '{printable(first)}'{known}")


def dotted(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` as ``{"a.b": 1}``; an empty table stays a value."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        flat |= dotted(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return flat


def assign(fields: dict[str, Any], key: str, value: Any) -> None:
    """Set ``a.b.c`` in nested tables, leaving the caller's own tables untouched."""
    *parents, last = key.split(".")
    for parent in parents:
        inner = fields.get(parent, {})
        if not isinstance(inner, dict):
            raise UserError(f"'{printable(key)}' reaches into '{parent}', which is not a table")
        fields[parent] = fields = dict(inner)
    fields[last] = {**value} if isinstance(value, dict) else value
