"""rbench from Python: the same runs and records as on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rbench.errors import UnknownName, UserError
from rbench.plugin.catalog import Catalog
from rbench.plugin.recipe import Training
from rbench.records.record import Record
from rbench.spec.parse import parse
from rbench.spec.resolve import resolve
from rbench.spec.run_spec import RunSpec
from rbench.sweep.run_cell import check_writable, run_cell

if TYPE_CHECKING:
    import pandas as pd


def to_spec(fields: dict[str, Any], where: str = "run") -> RunSpec:
    """A RunSpec from fields of :class:`RunSpec` and of :class:`Training`, side by side.

    ``freeze_spatial=True`` adds the policy ``spatial``. UserError on an unknown field.
    """
    spec: dict[str, Any] = {}
    training: dict[str, Any] = dict(fields.get("training", {}))
    for name, value in fields.items():
        if name in RunSpec.model_fields:
            spec[name] = value
        elif name in Training.model_fields:
            training[name] = value
        elif name == "freeze_spatial":
            continue
        else:
            known = [*RunSpec.model_fields, *Training.model_fields, "freeze_spatial"]
            raise UnknownName("option", name, known)
    if fields.get("freeze_spatial"):
        policies = spec.get("freeze", ())
        policies = policies.split(",") if isinstance(policies, str) else policies
        spec["freeze"] = tuple(dict.fromkeys([*policies, "spatial"]))
    if training:
        spec["training"] = training
    return parse(RunSpec, spec, where)


def run(
    model: str,
    *,
    seeds: int = 1,
    output: str | Path | None = None,
    force: bool = False,
    checkpoint_every: int | None = None,
    **fields: Any,
) -> list[Record]:
    """Run ``model`` under ``seeds`` seeds (``seed``, ``seed + 1``, ...) and return the records.

    ``fields`` are those of :class:`rbench.RunSpec` and of a recipe, under the command line's
    names: ``rbench.run(model="resnet50", freeze="spatial", epochs=3)``. With ``output`` the
    records are written to that folder, and what it already holds is not run again; training
    leaves a checkpoint there every ``checkpoint_every`` steps and goes on from it. UserError
    for input that cannot be run; a run that fails is a record whose ``status`` says so.
    """
    from rbench.runner.execute import Execution, execute

    if seeds < 1:
        raise UserError(f"seeds = {seeds}: must be at least 1")
    catalog = Catalog.from_environment()
    spec = to_spec({"model": model, **fields})
    cells = [
        resolve(spec.model_copy(update={"seed": spec.seed + i}), catalog) for i in range(seeds)
    ]
    if output is None:
        return [execute(cell, Execution(plugins=catalog.plugins)) for cell in cells]
    folder = Path(output)
    check_writable(folder)
    execution = Execution(folder=folder, plugins=catalog.plugins, checkpoint_every=checkpoint_every)
    return [run_cell(cell, folder, execution, force=force).record for cell in cells]


def load(folder: str | Path) -> pd.DataFrame:
    """All records under ``folder`` as a DataFrame, one row a record."""
    from rbench.report.leaderboard import load as load_records

    return load_records(Path(folder))
