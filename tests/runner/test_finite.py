"""Numbers that are not finite: None and a note, and never a lost record."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

import rbench
from rbench import MetricValue
from rbench.records.record import Record, parse, to_json
from rbench.runner.finite import finite_json, finite_value


def test_value_uncertainty_and_details_alike() -> None:
    notes: list[str] = []
    value = MetricValue(
        name="m",
        value=math.inf,
        uncertainty=math.nan,
        details={"a": [1.0, math.nan, {"b": -math.inf}], "c": "nan", "d": True, "e": 3},
    )
    changed = finite_value(value, notes.append)
    assert changed.value is None
    assert changed.uncertainty is None
    assert changed.details == {"a": [1.0, None, {"b": None}], "c": "nan", "d": True, "e": 3}
    assert notes == [
        "m is inf",
        "the uncertainty of m is nan",
        "the details of m have 2 numbers that are not finite",
    ]
    record = Record(digest="d", spec={}, seed=0, started="", metrics=[changed])
    assert parse(to_json(record), "memory").metric("m") == changed


def test_finite_numbers_stay_and_say_nothing() -> None:
    notes: list[str] = []
    value = MetricValue(name="m", value=1.5, uncertainty=0.1, details={"a": [1, 2.5, None]})
    assert finite_value(value.model_copy(deep=True), notes.append) == value
    assert finite_json({"one": math.nan}, "these", notes.append) == {"one": None}
    assert notes == ["these have 1 number that is not finite"]


def test_reconstructing_a_black_image_leaves_a_record(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(np.zeros((32, 32, 3), dtype=np.uint8)).save(folder / "black.png")
    records = rbench.run(
        model="rrvgg",
        model_kwargs={"width": 4},
        task="reconstruction",
        task_kwargs={"networks": 2, "mapping": "minmax"},
        dataset="plain_folder",
        data_dir=str(folder),
        metrics=["psnr", "mse"],
        output=str(tmp_path / "results"),
    )
    (record,) = records
    assert record.status == "done"
    assert record.metric("mse").value is not None
    stored = next(Path(tmp_path / "results").glob("*.json"))
    parse(stored.read_text(), str(stored))  # strict JSON
