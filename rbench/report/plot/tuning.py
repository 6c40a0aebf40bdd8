"""The figures of a suite's tuning: the score against each tuned option, a line for each arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rbench.report.plot.declaration import Figure
from rbench.report.plot.points import Item
from rbench.spec.suite_spec import SuiteSpec
from rbench.spec.tune_spec import TuneSpec


def tuning_figures(suite: SuiteSpec, declared: Sequence[Figure]) -> list[Figure]:
    """A figure for each option that ``suite`` tunes and that no declared figure has as its x."""
    if suite.tune is None:
        return []
    shown = {figure.x for figure in declared}
    several = len(suite.names()) > 1
    return [
        Figure.model_validate(
            {
                "name": f"tuning-{axis.rpartition('.')[2]}",
                "title": f"{suite.tune.select} by {axis}",
                "kind": "curve",
                "x": axis,
                "y": suite.tune.value_name,
                "ylabel": suite.tune.select,
                "series": "arm" if several else None,
                "where": {"measure_on": "val"},
                "xscale": range_.scale,
                "best": True,
                "height": 3.4,
            }
        )
        for axis, range_ in suite.tune.axes.items()
        if axis not in shown
    ]


def tried_items(found: Sequence[Item], tune: TuneSpec) -> list[Item]:
    """The trials as the tuned records tell them, for folders that do not hold the trials' own.

    Of each configuration one record is read: all its seeds tell the same.
    """
    made: list[Item] = []
    seen: set[str] = set()
    for item in found:
        tuning, arm = item.record.tuning, str(item.get("arm"))
        if tuning is None or arm in seen:
            continue
        seen.add(arm)
        for number, tried in enumerate(tuning.tried):
            score = {} if tried.score is None else {tune.value_name: tried.score}
            plain = {k: v for k, v in item.columns.items() if not k.startswith("metric.")}
            columns = {**plain, **tried.values, **score, "measure_on": "val"}
            # A digest of its own: figures take each digest once.
            trial = item.record.model_copy(update={"digest": f"{item.record.digest} {number}"})
            made.append(replace(item, record=trial, columns=columns))
    return made


__all__ = ["tried_items", "tuning_figures"]
