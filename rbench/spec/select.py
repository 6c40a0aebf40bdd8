"""``--only model=resnet50,seed<2``: which runs of a suite are meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rbench.errors import UnknownName, UserError, printable
from rbench.spec.columns import columns
from rbench.spec.conditions import Where, is_comparison, matches, parse_conditions
from rbench.spec.resolve import Resolved
from rbench.spec.run_spec import RunSpec


def select(runs: Sequence[Resolved], conditions: Sequence[str]) -> list[Resolved]:
    """The runs that meet all conditions. UserError where none does, or one cannot be read."""
    where = parse_conditions(conditions)
    for name in where:
        _check(name)
    chosen = [run for run in runs if _meets(run, where)]
    if runs and not chosen:
        raise UserError(f"--only {printable(','.join(conditions))}: no run of the suite is that")
    return chosen


def _check(name: str) -> None:
    """A condition starts with a field of a run; what follows the dot depends on the component."""
    tables = [f.removesuffix("_kwargs") for f in RunSpec.model_fields if f.endswith("_kwargs")]
    if name.split(".")[0] not in {*RunSpec.model_fields, *tables}:
        raise UnknownName("field in --only", name, RunSpec.model_fields)


def _meets(run: Resolved, where: Where) -> bool:
    get = column_of(run)
    for name, wanted in where.items():
        value = get(name)
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        if is_comparison(wanted) and value is not None and not numeric:
            raise UserError(f"--only {name}{printable(wanted)}: {name} is not a number")
        if not matches(value, wanted):
            return False
    return True


def column_of(run: Resolved) -> Callable[[str], Any]:
    """The value of a column of a planned run, None where there is none."""
    found = columns(run.identity)
    found["freeze"] = list(run.spec.freeze)
    found["device"] = run.device

    def get(name: str) -> Any:
        if name in found:
            return found[name]
        return getattr(run.spec, name, None) if name in RunSpec.model_fields else None

    return get
