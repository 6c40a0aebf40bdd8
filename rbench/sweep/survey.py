"""Suite -> cells: what there is to run. Executors run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.records.status import status
from rbench.spec.resolve import Contents, Resolved, digest, resolve
from rbench.spec.run_spec import RunSpec
from rbench.spec.suite_spec import SuiteSpec
from rbench.sweep.job import Ticket
from rbench.sweep.locks import PATIENCE, Claims, Owner


@dataclass(frozen=True)
class Unresolvable:
    """A cell that cannot be run here, such as one whose plugin has vanished."""

    spec: RunSpec
    error: UserError

    def ticket(self) -> Ticket:
        """A ticket whose record can only say why; its identity is the spec as it was asked for."""
        fields = self.spec.model_dump(mode="json", exclude_defaults=True)
        named = digest({"unresolved": fields})
        model = "".join(c if c.isalnum() or c in "._" else "_" for c in self.spec.model)[:60]
        return Ticket(
            slug=f"{model.strip('.')}-unresolved-s{self.spec.seed}-{named[:10]}",
            digest=named,
            device=self.spec.device,
            seed=self.spec.seed,
            spec=fields,
        )


def resolve_suite(
    suite: SuiteSpec, catalog: Catalog, overrides: Mapping[str, Any] | None = None
) -> list[Resolved]:
    """Every cell of a suite, checked; UserError at the first that cannot be run."""
    cells, bad = resolve_each(suite.cells(overrides), catalog)
    if bad:
        raise bad[0].error
    return cells


def resolve_each(
    specs: Sequence[RunSpec], catalog: Catalog
) -> tuple[list[Resolved], list[Unresolvable]]:
    """Resolve what can be. Runs that differ in their seed only are looked up once."""
    alike: dict[str, Resolved | UserError] = {}
    contents: Contents = {}
    cells: dict[str, Resolved] = {}
    bad: list[Unresolvable] = []
    last: RunSpec | None = None
    key = ""
    for spec in specs:
        if last is None or spec.model_copy(update={"seed": last.seed}) != last:
            key = repr([value for name, value in spec if name != "seed"])
        last = spec
        if key not in alike:
            try:
                alike[key] = resolve(spec, catalog, contents)
            except UserError as error:
                alike[key] = error
        first = alike[key]
        if isinstance(first, UserError):
            bad.append(Unresolvable(spec, first))
            continue
        cell = first
        if spec.seed != first.spec.seed:
            identity = {**first.identity, "seed": spec.seed}
            cell = replace(first, spec=spec, identity=identity, digest=digest(identity))
        # Two specs may ask for one run, such as a default and the same value spelt out.
        cells.setdefault(cell.digest, cell)
    return list(cells.values()), bad


@dataclass(frozen=True)
class Survey:
    """The cells of a suite by what a folder of records says of them, each in the suite's order."""

    done: list[Resolved]
    failed: list[Resolved]
    running: dict[str, Owner]
    """By slug: of all claims in the folder, those whose owner lives."""
    missing: list[Resolved]
    """Neither done nor failed; those that run elsewhere are among them."""


def survey(cells: Sequence[Resolved], output: Path, patience: float = PATIENCE) -> Survey:
    """Look through ``output`` for the cells' records and claims."""
    found = Survey([], [], Claims(output, patience).running(), [])
    for cell in cells:
        ended = status(output / f"{cell.slug}.json", cell.digest)
        if ended == "done":
            found.done.append(cell)
        elif ended == "failed":
            found.failed.append(cell)
        else:
            found.missing.append(cell)
    return found
