"""A sweep that a machine without a GPU hands to machines with some; all are simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rbench import hardware
from rbench.cli.sweep import asked
from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.records.store import Store
from rbench.spec.resolve import resolve
from rbench.sweep.executors.base import Settings
from rbench.sweep.executors.cluster import ClusterTask
from rbench.sweep.executors.local import Loop, slots_and_threads
from rbench.sweep.job import RunJob
from rbench.sweep.locks import RunLocks
from rbench.sweep.suite_settings import suite_runs
from tests.helpers import faulty_plugin

SUITE = """
summary = "Two."
seeds = 2
[base]
model = "test_resnet"
dataset = "digits"
recipe = "lowres"
"""


@pytest.fixture
def suite(tmp_path: Path) -> str:
    (tmp_path / "suite.toml").write_text(SUITE)
    return str(tmp_path / "suite.toml")


def gpus(monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
    monkeypatch.setattr(hardware, "has_cuda", lambda: bool(names))
    monkeypatch.setattr(hardware, "gpus", lambda: names)
    monkeypatch.setattr(hardware, "cores", lambda: 8)


@pytest.mark.parametrize(
    ("executor", "flags"),
    [
        ("slurm", {"job_gpus": 2}),
        ("slurm", {"job_gpus": 2, "device": "cuda"}),
        ("slurm", {"slurm": {"gres": "gpu:2"}}),
        ("slurm", {"slurm": {"gpus_per_node": 2}}),
        ("ray", {"job_gpus": 2, "device": "auto"}),
    ],
)
def test_runs_are_for_the_gpus_of_the_jobs(
    suite: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    executor: str,
    flags: dict[str, Any],
) -> None:
    catalog = Catalog.from_environment()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    gpus(monkeypatch, [])
    what = asked(suite, {**flags, "output": tmp_path / "out"}, executor)
    runs = suite_runs(suite, what.which, catalog).runs
    assert [run.device for run in runs] == ["cuda", "cuda"]
    task = ClusterTask(what.how, [RunJob.of(run) for run in runs])

    # From here on it is the node.
    gpus(monkeypatch, ["0", "1"])
    jobs = [RunJob.model_validate_json(text) for text in task.jobs]
    # No run is refused for having changed since it was submitted.
    for job in jobs:
        assert resolve(job.run_spec(), catalog).digest == job.digest
    store = Store(what.how.output)
    loop = Loop(what.how, store, RunLocks(store), jobs, lambda event: None)
    assert (loop.slots, loop.starter.gpus, loop.starter.method) == (2, ["0", "1"], "spawn")
    loop.starter.close()


def test_jobs_without_gpus_are_for_what_is_here(
    suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog.from_environment()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    gpus(monkeypatch, [])
    for executor, flags in (("local", {"job_gpus": 1}), ("slurm", {"slurm": {"gres": "disk:1"}})):
        which = asked(suite, {**flags, "device": "auto"}, executor).which
        assert {run.device for run in suite_runs(suite, which, catalog).runs} == {"cpu"}
        which = asked(suite, {**flags, "device": "cuda"}, executor).which
        with pytest.raises(UserError, match="no CUDA device is visible here"):
            suite_runs(suite, which, catalog)


@pytest.mark.parametrize(("device", "slots"), [("auto", 4), ("cuda", 4), ("cuda:1", 1), ("cpu", 8)])
def test_as_many_runs_at_once_as_gpus_that_they_may_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, device: str, slots: int
) -> None:
    gpus(monkeypatch, ["0", "1", "2", "3"])
    job = faulty_plugin.job(model="test_resnet", device=device)
    assert slots_and_threads(Settings(output=tmp_path), [job] * 16) == (slots, 8 // slots)
