"""The theory's suites resolve, and a cell of one runs from spec to record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from rbench import SuiteSpec, run
from rbench.plugin.catalog import Catalog
from rbench.report.plot import figures
from rbench.spec.suite_spec import read_suite
from rbench.sweep.survey import resolve_suite

SUITES = ["convergence", "disjoint", "fig7b", "kernel", "pools", "stress"]


def folder(path: Path) -> Path:
    for place, image in enumerate((data.chelsea(), data.astronaut())):
        Image.fromarray(np.ascontiguousarray(image[:200, :200])).save(path / f"{place}.png")
    return path


@pytest.mark.parametrize("name", SUITES)
def test_suites_resolve_and_declare_their_figures(name: str, tmp_path: Path) -> None:
    suite: SuiteSpec = read_suite(f"theory_{name}")
    cells = resolve_suite(suite, Catalog.from_environment(), {"data_dir": str(folder(tmp_path))})
    assert len({cell.digest for cell in cells}) == len(cells) > 5
    assert len({cell.protocol for cell in cells}) == 1
    assert figures(suite.figure, name)


def test_a_cell_becomes_a_record(tmp_path: Path) -> None:
    (record,) = run(
        "random_cnn",
        model_kwargs={"width": 16, "draws": 20},
        task="forward",
        dataset="image_folder",
        data_dir=str(folder(tmp_path)),
        img_size=16,
        device="cpu",
        output=None,
    )
    assert record.status == "done"
    assert record.resolved["dataset"]["img_size"] == [16, 16]  # type: ignore[call-overload, index]
    values = {metric.name: metric.value for metric in record.metrics}
    assert values["theory_violations"] == 0
    assert 0.5 < (values["theory_prediction_over_measurement"] or 0) < 2
