"""Measuring the saved weights of finished runs with other metrics, without training again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.records.record import RecordError, read
from rbench.records.store import RECORD_SUFFIX, Store
from rbench.runner.parent import Parent
from rbench.spec.parse import parse
from rbench.spec.resolve import Resolved, resolve
from rbench.spec.run_spec import LOCAL_FIELDS, RunSpec


def parents(paths: Sequence[Path]) -> list[tuple[Path, Parent]]:
    """The finished runs of ``paths``, which are records or folders of them.

    Of a folder those that kept their weights; UserError where a record that was named did not,
    or where there is none.
    """
    found: list[tuple[Path, Parent]] = []
    for path in paths:
        files = sorted(path.rglob(f"*{RECORD_SUFFIX}")) if path.is_dir() else [path]
        for file in files:
            weights = Store(file.parent).weights(file.name.removesuffix(RECORD_SUFFIX))
            try:
                record = read(file)
            except RecordError:
                if not path.is_dir():
                    raise
                continue
            if record.status == "done" and weights.exists():
                found.append((file, Parent(record, weights)))
            elif not path.is_dir():
                missing = f"{weights} is missing: run with --save-weights"
                raise UserError(
                    missing if record.status == "done" else f"{file} is of a run that failed"
                )
    if not found:
        raise UserError("no finished run here kept its weights: run with --save-weights")
    return found


def with_metrics(
    parent: Parent, changes: Mapping[str, Any], catalog: Catalog, where: str
) -> Resolved:
    """The run that ``parent`` would have been with other metrics.

    ``changes`` are fields of :class:`RunSpec`: ``metrics``, ``metric_kwargs``, and the places.
    """
    record = parent.record
    kwargs = record.spec.get("metric_kwargs", {})
    assert isinstance(kwargs, dict)
    asked = {name: kwargs[name] for name in changes["metrics"] if name in kwargs}
    fields = {name: value for name, value in record.spec.items() if name not in LOCAL_FIELDS}
    fields |= {**changes, "metric_kwargs": asked | changes.get("metric_kwargs", {})}
    before, training = record.resolved.get("training"), record.spec.get("training", {})
    if isinstance(before, dict):
        assert isinstance(training, dict)
        # What the parent's machine decided is not for this one to decide again.
        fields["training"] = {**training, "amp": before["amp"]}
    return resolve(parse(RunSpec, fields, where), catalog)


__all__ = ["parents", "with_metrics"]
