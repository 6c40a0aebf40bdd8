from __future__ import annotations

import pytest
from matplotlib.figure import Figure as Canvas

from rbench.records.record import Record
from rbench.report.plot.axes import fill
from rbench.report.plot.declaration import Figure
from rbench.report.plot.points import items


def record(seed: int, curve: list[float | None]) -> Record:
    identity = {
        "model": {"name": "net", "options": {}},
        "task": {"name": "classification", "options": {}},
        "dataset": {"name": "digits", "options": {}, "img_size": None},
        "seed": seed,
    }
    return Record(
        digest=f"{seed:064x}",
        spec={"model": "net"},
        resolved=identity,
        protocol="p",
        seed=seed,
        started="2026-01-01T00:00:00+00:00",
        history={"top1@val": curve},
    )


def test_a_curve_measured_every_second_epoch_is_a_line_with_a_band_over_seeds() -> None:
    found = items(
        [(record(0, [None, 40, None, 60]), None), (record(1, [None, 50, None, 80]), None)]
    )
    figure = Figure(name="curves", kind="history", y="history.top1@val")
    axes = Canvas().subplots()
    assert fill(figure, axes, found, found, None)
    (line,) = axes.lines
    assert list(line.get_xdata()) == [2, 4]  # type: ignore[arg-type]
    assert list(line.get_ydata()) == [45, 70]  # type: ignore[arg-type]
    (band,) = axes.collections
    heights = band.get_paths()[0].vertices[:, 1]  # type: ignore[index]
    assert min(heights) == pytest.approx(45 - 50**0.5)
    assert max(heights) == pytest.approx(70 + 200**0.5)
