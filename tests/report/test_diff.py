"""Two configurations against each other, by scipy and by published examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy.stats import ttest_ind, ttest_rel

from rbench.records.record import to_json
from rbench.report.diff import compared, load, mcnemar, select
from tests.conftest import Rbench
from tests.helpers.synthetic_records import record

# Student's sleep data (Biometrika 6, 1908): extra hours of sleep of ten patients on two drugs.
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    for freeze, values in (("none", FIRST), ("spatial", SECOND)):
        for seed, value in enumerate(values):
            made = record("resnet18", freeze, seed, {"top1": value})
            (folder / f"{freeze}-{seed}.json").write_text(to_json(made))
    return folder


def test_the_paired_difference_is_students(results: Path) -> None:
    loaded = load([results])
    found = compared(select("freeze=none", loaded), select("spatial-3", loaded))["top1"]
    assert found is not None
    interval = found.interval(0.95)
    assert found.paired
    assert found.value == pytest.approx(1.58)
    # R's t.test(extra ~ group, paired = TRUE) prints 0.7001142 and 2.4598858.
    assert interval == pytest.approx((0.7001142, 2.4598858), abs=1e-6)
    assert interval == pytest.approx(ttest_rel(SECOND, FIRST).confidence_interval(), abs=1e-9)


def test_only_shared_seeds_are_paired(results: Path) -> None:
    (results / "none-0.json").unlink()
    (results / "spatial-9.json").unlink()
    loaded = load([results])
    found = compared(select("freeze=none", loaded), select("freeze=spatial", loaded))["top1"]
    assert found is not None
    wanted = ttest_rel(SECOND[1:9], FIRST[1:9])
    assert (found.paired, found.n) == (True, 8)
    assert found.p == pytest.approx(wanted.pvalue)
    assert found.interval(0.95) == pytest.approx(wanted.confidence_interval())


def test_without_shared_seeds_welch(results: Path) -> None:
    for seed in range(10):
        (results / f"{'none' if seed < 5 else 'spatial'}-{seed}.json").unlink()
    loaded = load([results])
    found = compared(select("freeze=none", loaded), select("freeze=spatial", loaded))["top1"]
    assert found is not None
    wanted = ttest_ind(SECOND[:5], FIRST[5:], equal_var=False)
    assert not found.paired
    assert found.p == pytest.approx(wanted.pvalue)
    assert found.interval(0.95) == pytest.approx(wanted.confidence_interval())


def test_mcnemar_is_exact() -> None:
    # 2 * (1 + 8 + 28) / 2**8 by hand.
    assert mcnemar(2, 6).p == pytest.approx(74 / 256)
    assert mcnemar(0, 0).p == 1.0


def test_the_command(rbench: Rbench, results: Path) -> None:
    labels = np.zeros(10, np.uint8)
    for name, wrong in (("none-0", 6), ("spatial-0", 0)):
        (results / name).mkdir()
        predicted = labels.copy()
        predicted[:wrong] = 1
        tensors = {"labels": labels, "predicted": predicted, "top5": predicted[:, None]}
        save_file(tensors, results / name / "predictions.safetensors")
    done = rbench("diff", "freeze=none", "freeze=spatial")
    assert done.returncode == 0, done.stderr
    assert "freeze: none -> spatial" in done.stdout
    assert "top1: +1.58 [+0.7001, +2.46] (paired, n 10)" in done.stdout
    assert "seed 0: 0 images only A has right, 6 only B; McNemar p = 0.0312" in done.stdout


def test_what_names_no_configuration_or_several(rbench: Rbench, results: Path) -> None:
    done = rbench("diff", "freeze=none", "model=vit")
    assert (done.returncode, done.stderr) == (2, "rbench: no finished run fits 'model=vit'\n")
    done = rbench("diff", "model=resnet18", "freeze=none")
    assert done.returncode == 2
    assert "fits several configurations; also name one of freeze" in done.stderr
