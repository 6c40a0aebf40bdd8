from __future__ import annotations

import os
import signal
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import rbench
from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.records.record import read
from rbench.spec.resolve import resolve
from rbench.sweep.executors import Event, Settings, executor
from rbench.sweep.executors.slurm import SlurmTask
from rbench.sweep.job import RunJob
from tests.helpers import faulty_plugin


def jobs(tally: Path, seconds: float = 0.0) -> list[RunJob]:
    catalog = Catalog.from_environment()
    cells = []
    for seed in range(4):
        how = "raise" if seed == 3 else "well"
        spec = rbench.RunSpec(
            **{
                **faulty_plugin.BASE,
                "seed": seed,
                "model_kwargs": {"how": how},
                "metrics": ("top1", "tally"),
                "metric_kwargs": {"tally": {"file": str(tally), "seconds": seconds}},
            }
        )
        cells.append(RunJob.of(resolve(spec, catalog)))
    return cells


def check(output: Path, cells: list[RunJob], heard: list[Event]) -> None:
    statuses = [read(output / f"{cell.slug}.json").status for cell in cells]
    assert statuses == ["done"] * 3 + ["failed"]
    ended = {event.slug: event.kind for event in heard if event.kind in ("done", "failed")}
    assert ended == dict(zip([cell.slug for cell in cells], statuses, strict=True))
    assert "the architecture is upset" in next(e.text for e in heard if e.kind == "failed")
    assert not list((output / ".locks").iterdir())


@pytest.mark.slow
def test_slurm_by_submitits_local_executor(plugin: Path, tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="the extra rbench[slurm] is not installed")
    output, tally = tmp_path / "out", tmp_path / "tally"
    cells = jobs(tally)
    heard: list[Event] = []
    settings = Settings(output=output, cluster="local", jobs=2, slots=1, threads=1)
    executor("slurm", settings).run(cells, heard.append)
    check(output, cells, heard)
    assert len(tally.read_text().splitlines()) == 3


FAKE_SBATCH = """#!/bin/sh
cp "$1" "{seen}"
echo "Submitted batch job 4711"
"""


def test_the_script_for_slurm(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit", reason="the extra rbench[slurm] is not installed")
    bin, seen = tmp_path / "bin", tmp_path / "seen.sh"
    bin.mkdir()
    for name, text in {
        "sbatch": FAKE_SBATCH.format(seen=seen),
        "srun": "#!/bin/sh\n",
        "sacct": "#!/bin/sh\nprintf 'JobID|State|NodeList\\n4711|FAILED|n\\n4711_0|FAILED|n\\n"
        "4711_1|FAILED|n\\n'\n",
        "scancel": "#!/bin/sh\n",
    }.items():
        (bin / name).write_text(text)
        (bin / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{bin}:{os.environ['PATH']}")
    settings = Settings(
        output=tmp_path / "out",
        jobs=2,
        job_minutes=30,
        job_memory=6,
        job_cpus=3,
        job_gpus=1,
        partition="short",
    )
    slurm: Any = executor("slurm", settings)
    with slurm.executor.batch():
        for task in (SlurmTask(settings, jobs(tmp_path / "tally")),) * 2:
            slurm.executor.submit(task)
    script = seen.read_text()
    for line in (
        "--array=0-1%2",
        "--partition=short",
        "--time=30",
        "--mem=6GB",
        "--cpus-per-task=3",
        "--gpus-per-node=1",
        "--requeue",
        "--signal=USR2@90",
        "--job-name=rbench",
        "--open-mode=append",
    ):
        assert f"#SBATCH {line}\n" in script, (line, script)
    assert "submitit.core._submit" in script


@pytest.mark.slow
def test_a_preempted_job_is_queued_anew(plugin: Path, tmp_path: Path) -> None:
    submitit = pytest.importorskip("submitit", reason="the extra rbench[slurm] is not installed")
    cells = jobs(tmp_path / "tally", seconds=1.0)[:3]
    settings = Settings(output=tmp_path / "out", slots=1, threads=1)
    local = submitit.AutoExecutor(folder=tmp_path / "jobs", cluster="local")
    local.update_parameters(timeout_min=5)
    job = local.submit(SlurmTask(settings, cells))
    deadline = time.monotonic() + 120
    while not (tmp_path / "tally").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    # submitit's own stand-in for Slurm's warning: the job begins again as it was.
    job._interrupt()
    assert job.result()["done"] == 3
    out = (tmp_path / "jobs").glob("*_log.out")
    assert any("begin" in p.read_text() or "Starting" in p.read_text() for p in out)
    assert all(read(tmp_path / "out" / f"{c.slug}.json").status == "done" for c in cells)


def test_a_job_that_gains_nothing_is_not_queued_again(plugin: Path, tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="the extra rbench[slurm] is not installed")
    job = SlurmTask(Settings(output=tmp_path, job_minutes=1), jobs(tmp_path / "tally"))
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert job.checkpoint().function is job
        job.begun = time.time() - 50
        with pytest.raises(UserError, match="no record or checkpoint was written in 1 minutes"):
            job.checkpoint()
        checkpoints = tmp_path / ".checkpoints" / "cell" / "0"
        checkpoints.mkdir(parents=True)
        (checkpoints / "step-00000001.facts").touch()
        assert job.checkpoint().function is job
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.slow
def test_ray_with_a_worker_killed(plugin: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra rbench[ray] is not installed")
    output, tally = tmp_path / "out", tmp_path / "tally"
    cells = jobs(tally, seconds=1.0)
    heard: list[Event] = []
    killed: list[int] = []

    def kill() -> None:
        """End the Ray process that runs the share, in the middle of a cell."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not killed:
            time.sleep(0.05)
            if tally.exists():
                for path in Path("/proc").glob("[0-9]*/cmdline"):
                    try:
                        words = path.read_bytes().split(b"\0")
                    except OSError:
                        continue
                    if words[0] == b"ray::_run_task":
                        os.kill(int(path.parent.name), signal.SIGKILL)
                        killed.append(int(path.parent.name))
                        break

    killer = threading.Thread(target=kill)
    killer.start()
    settings = Settings(output=output, jobs=1, job_cpus=1, job_memory=0.5, slots=1, threads=1)
    executor("ray", settings).run(cells, heard.append)
    killer.join()
    assert killed
    check(output, cells, heard)


def test_a_missing_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for name, package in (("slurm", "submitit"), ("ray", "ray")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(UserError, match=rf"pip install 'rbench\[{name}\]'"):
            executor(name, Settings(output=tmp_path))
    with pytest.raises(UserError, match="did you mean slurm"):
        executor("slum", Settings(output=tmp_path))
