"""Records run again in bulk, and deterministic kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import rbench
from rbench.cli import app
from rbench.plugin.catalog import Catalog
from rbench.records.record import read, to_json
from rbench.runner.accelerator import make_accelerator
from rbench.spec.resolve import resolve
from rbench.sweep.job import RunJob

FIELDS: dict[str, Any] = {
    "model": "test_resnet",
    "dataset": "digits",
    "task_kwargs": {"train": False},
    "metrics": ("top1", "loss"),
    "device": "cpu",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Records of three finished runs, one of them forged, and of one that failed."""
    torch.set_num_threads(1)
    output = tmp_path / "records"
    rbench.run(**FIELDS, seeds=3, output=output)
    forged = sorted(output.glob("*.json"))[1]
    content = json.loads(forged.read_text())
    content["metrics"][1]["value"] += 1e-9
    (output / "zz").mkdir()
    (output / "zz" / forged.name).write_text(json.dumps(content))
    forged.unlink()
    spec = rbench.RunSpec(**FIELDS, seed=7)
    job = RunJob.of(resolve(spec, Catalog.from_environment()))
    failed = job.failed("RuntimeError", "upset")
    (output / f"{job.slug}.json").write_text(to_json(failed))
    return output


@pytest.mark.slow
def test_a_folder_of_records(folder: Path) -> None:
    found = CliRunner().invoke(app, ["verify", str(folder), "--device", "cpu"])
    assert found.exit_code == 1, found.output
    assert "2 of 3 records hold; skipped 1 of runs that are not done" in found.output
    (forged,) = (folder / "zz").glob("*.json")
    assert f"does not hold: {forged}" in found.output
    assert found.output.count("DIFFERS") == 1
    assert found.output.count("same machine and versions") == 3

    forged.unlink()
    good = CliRunner().invoke(app, ["verify", str(folder), "--device", "cpu"])
    assert good.exit_code == 0, good.output
    assert "2 of 2 records hold" in good.output


@pytest.mark.slow
def test_by_deterministic_kernels(folder: Path) -> None:
    words = ["verify", str(folder), "--device", "cpu", "--deterministic", "--max-records", "1"]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0, found.output
    assert "another digest" in found.output
    assert torch.are_deterministic_algorithms_enabled()


def test_a_folder_without_a_finished_run_is_the_users_mistake(folder: Path) -> None:
    for path in folder.rglob("*.json"):
        if read(path).status == "done":
            path.unlink()
    found = CliRunner().invoke(app, ["verify", str(folder)])
    assert isinstance(found.exception, rbench.UserError)
    assert "no record of a finished run" in str(found.exception)


@pytest.mark.slow
def test_each_run_has_the_kernels_that_it_asks_for() -> None:
    catalog = Catalog.from_environment()
    lax, strict = (
        resolve(rbench.RunSpec(**FIELDS, deterministic=asked), catalog) for asked in (False, True)
    )
    assert lax.digest != strict.digest
    torch.use_deterministic_algorithms(True, warn_only=True)
    for cell, wanted in ((lax, False), (strict, True), (strict, True), (lax, False)):
        make_accelerator(cell)
        assert torch.are_deterministic_algorithms_enabled() == wanted
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
    (record,) = rbench.run(**FIELDS, deterministic=True, output=None)
    (other,) = rbench.run(**FIELDS, output=None)
    assert record.spec["deterministic"] is True
    # On the CPU nothing else is needed for the same numbers.
    assert record.metrics == other.metrics
    assert not torch.are_deterministic_algorithms_enabled()
