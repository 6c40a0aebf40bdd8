"""rbench from Python: the same runs and records as on the command line."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rbench.errors import UserError, printable, suggest
from rbench.plugin.catalog import Catalog
from rbench.plugin.loose import from_session
from rbench.plugin.recipe import Training
from rbench.records.record import Record
from rbench.records.store import Store
from rbench.report.collection import Records
from rbench.report.leaderboard import load as load_records
from rbench.runner.progress import Reporter, watched
from rbench.spec.parse import parse
from rbench.spec.resolve import Resolved, resolve
from rbench.spec.run_settings import RunSettings
from rbench.spec.run_spec import RunSpec
from rbench.sweep.run_or_load import RunResult, run_or_load

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from rbench.runner.execute import Execution


def to_spec(fields: Mapping[str, Any], where: str = "run") -> RunSpec:
    """A RunSpec from fields of :class:`RunSpec` and of :class:`Training`, side by side.

    ``freeze_spatial=True`` adds the rule ``spatial``; ``training`` and ``freeze`` may be None.
    UserError on an unknown field.
    """
    spec: dict[str, Any] = {}
    given = fields.get("training") or {}
    if isinstance(given, Training):
        given = given.model_dump(mode="json", exclude_unset=True)
    if not isinstance(given, Mapping):
        got = printable(repr(given), 60)
        raise UserError(f"{where}: training = {got}: expected rbench.Training(...) or a dict")
    training: dict[str, Any] = dict(given)
    for name, value in fields.items():
        if name in RunSpec.model_fields:
            if value is not None or name not in ("freeze", "training"):
                spec[name] = value
        elif name in Training.model_fields:
            training[name] = value
        elif name == "freeze_spatial":
            continue
        else:
            known = [*RunSpec.model_fields, *Training.model_fields, "freeze_spatial"]
            raise UserError(f"{where}: unknown field '{printable(name)}'{suggest(name, known)}")
    if fields.get("freeze_spatial"):
        policies = spec.get("freeze", ())
        policies = policies.split(",") if isinstance(policies, str) else policies
        spec["freeze"] = tuple(dict.fromkeys([*policies, "spatial"]))
    if training:
        spec["training"] = training
    return parse(RunSpec, spec, where)


def resolve_seeds(spec: RunSpec, seeds: int, catalog: Catalog) -> list[Resolved]:
    """The runs of ``spec`` under the seeds ``spec.seed``, ``spec.seed + 1``, ..."""
    where = f"--seed {spec.seed} --seeds {seeds}"
    specs = [parse(RunSpec, {**dict(spec), "seed": spec.seed + i}, where) for i in range(seeds)]
    return [resolve(one, catalog) for one in specs]


def run_seeds(
    runs: list[Resolved], settings: RunSettings, execution: Execution, reporter: Reporter
) -> list[RunResult]:
    """Run each of ``runs`` whose record is missing in the results folder; their records.

    Stops after a run that was interrupted. UserError where the folder cannot be written.
    """
    store = Store(settings.output)
    store.check_writable()
    done: list[RunResult] = []
    for resolved in (run.named_in(store) for run in runs):
        reporter.start(f"seed {resolved.spec.seed}" if len(runs) > 1 else "")
        found = None if settings.force else store.finished(resolved.slug, resolved.digest)
        lacking = [] if found is None else _lacking(found, resolved, settings, store)
        again = bool(lacking)
        if again:
            what = " and ".join(lacking)
            reporter.say(f"the record is there without its {what}: running again")
        elif found is not None:
            path = store.record(resolved.slug)
            reporter.say(f"already in {path}; --force (force=True) runs it again")
            for name in _edited(found, resolved):
                reporter.say(f"the code of the {name} was another when that record was made")
        done.append(
            run_or_load(resolved, settings.output, execution, force=settings.force or again)
        )
        if done[-1].record.status == "interrupted":
            break
    return done


def _lacking(found: Record, resolved: Resolved, settings: RunSettings, store: Store) -> list[str]:
    """What the user asked for that a finished run has not kept, and only a new run can give."""
    slug, lacking = resolved.slug, []
    if settings.save_weights and not store.weights(slug).exists():
        lacking.append("weights")
    if resolved.spec.save_predictions and not store.predictions(slug).exists():
        lacking.append("predictions")
    if resolved.wants_curves and "seconds" not in found.history:
        lacking.append("curves")
    return [what for what in lacking if what not in found.impossible]


def _edited(record: Record, resolved: Resolved) -> list[str]:
    """Components whose source files differ from those that the record was made with."""
    now = resolved.sources
    return [name for name, source in record.sources.items() if now.get(name, source) != source]


def run(
    model: str | nn.Module | Callable[[], nn.Module],
    *,
    seeds: int = 1,
    output: str | Path | None = "results",
    progress: bool | None = None,
    **fields: Any,
) -> Records:
    """Run ``model`` under ``seeds`` seeds (``seed``, ``seed + 1``, ...) and return the records.

    ``fields`` are those of :class:`rbench.RunSpec` and of a recipe, under the command line's
    names, and ``force``, ``save_weights`` and ``checkpoint_every``::

        rbench.run("resnet50", freeze="spatial", epochs=3)

    Records are written to the folder ``output``, and runs whose record is there are not repeated,
    exactly as by ``rbench run``; ``output=None`` writes nothing. ``progress`` shows a bar; by
    default on a terminal and in notebooks.

    ``model`` may also be a network, or a function or class that makes one, ``init`` a function
    ``draw(weight, generator)``, ``freeze`` a function ``select(network)`` and ``metrics`` may hold
    functions ``measure(outcome)`` that return a number; :mod:`rbench.plugin.loose` says more. Such
    records carry digests of weights, of code and of what it reads, and cannot be submitted.

    Raises UserError for input that cannot be run. A run that fails is a record whose ``status``
    is ``failed``, and a warning says why. KeyboardInterrupt goes on to the caller once the record
    of the run that it interrupted is written, so that it ends a loop over runs.
    """
    try:
        records = _run({"model": model, **fields}, seeds, output, progress)
    except UserError as error:
        # The message says it all; the frames below are about parsing.
        raise error.with_traceback(None) from None
    for record in records:
        if record.status != "done" and record.error is not None:
            warnings.warn(
                f"seed {record.seed} {record.status}: {record.error.describe()}", stacklevel=2
            )
    if any(record.status == "interrupted" for record in records):
        raise KeyboardInterrupt
    return records


def _run(
    fields: dict[str, Any], seeds: int, output: str | Path | None, progress: bool | None
) -> Records:
    own = {name: fields.pop(name) for name in RunSettings.model_fields if name in fields}
    own |= {"seeds": seeds} | ({} if output is None else {"output": output})
    settings = parse(RunSettings, own, "rbench.run")
    session = from_session(Catalog.from_environment(), fields)
    runs = resolve_seeds(to_spec(session.fields, "rbench.run"), settings.seeds, session.catalog)
    if output is None and settings.save_weights:
        raise UserError("save_weights=True needs an output folder")
    from rbench.runner.execute import Execution, execute

    with Reporter(quiet=not (watched() if progress is None else progress)) as reporter:
        execution = Execution(
            folder=None if output is None else settings.output,
            progress=reporter,
            on_message=reporter.say,
            plugins=session.catalog.plugins,
            save_weights=settings.save_weights,
            checkpoint_every=settings.checkpoint_every,
            notes=session.notes,
        )
        if output is None:
            found: list[Record] = []
            for resolved in runs:
                found.append(execute(resolved, execution))
                if found[-1].status == "interrupted":
                    break
            return Records(found)
        results = run_seeds(runs, settings, execution, reporter)
    return Records((result.record for result in results), [result.path for result in results])


def load(folder: str | Path) -> pd.DataFrame:
    """All records under ``folder`` as a DataFrame, one row a record."""
    return load_records(Path(folder))


__all__ = ["Record", "RunSettings", "load", "resolve_seeds", "run", "run_seeds", "to_spec"]
