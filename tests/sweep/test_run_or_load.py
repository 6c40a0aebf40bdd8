"""One run in a folder that several processes write to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rbench
from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.records.record import Record, read
from rbench.records.store import Store
from rbench.runner.execute import Execution
from rbench.spec.resolve import Resolved, resolve
from rbench.sweep.locks import RunLocks
from rbench.sweep.run_or_load import run_or_load
from tests.helpers import faulty_plugin

FIELDS: dict[str, Any] = {**faulty_plugin.BASE, "model": "test_resnet"}


@pytest.fixture
def run() -> Resolved:
    return resolve(rbench.RunSpec(**FIELDS), Catalog.from_environment())


@pytest.mark.slow
def test_a_run_of_another_process_is_waited_for(run: Resolved, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    made = run_or_load(run, there, Execution(folder=there))
    assert made.executed
    assert not list((there / ".locks").iterdir())
    locks = RunLocks(Store(here))
    locks.prepare()
    lock = locks.acquire(run.slug)
    assert lock is not None
    said: list[str] = []

    def end(text: str) -> None:
        said.append(text)
        Store(here).record(run.slug).write_bytes(made.path.read_bytes())
        lock.release()

    found = run_or_load(run, here, Execution(folder=here, on_message=end))
    assert not found.executed
    assert found.record == made.record
    assert said == [f"{lock.owner} is executing this run; waiting for its record"]
    assert str(os.getpid()) in said[0]
    assert not list((here / ".locks").iterdir())


def test_processes_of_one_run_do_not_wait(
    run: Resolved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = RunLocks(Store(tmp_path))
    locks.prepare()
    lock = locks.acquire(run.slug)
    assert lock is not None
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="is already executing this run"):
        run_or_load(run, tmp_path, Execution(folder=tmp_path))


@pytest.mark.slow
def test_two_commands_at_once_run_it_once(tmp_path: Path) -> None:
    plugin, tally = faulty_plugin.install(tmp_path / "plugin"), tmp_path / "tally"
    command = [sys.executable, "-m", "rbench", "run", "--model", "test_resnet", "--device", "cpu"]
    command += ["--dataset", "digits", "--task-kwargs", "train=false", "--metrics", "tally"]
    command += ["--metric-kwargs", f"tally.file={tally}", "tally.seconds=1"]
    both = [
        subprocess.Popen(
            [*command, "--output", str(tmp_path / "out")],
            env=faulty_plugin.environment(plugin),
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=240)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert tally.read_text().count("\n") == 1
    (path,) = (tmp_path / "out").glob("*.json")
    assert read(path).status == "done"


REPEATED = """
import os
from PIL import Image
from rbench import Initializer, Metric, MetricValue, hookimpl

def measure(outcome, context, options):
    shade = 10 * len(os.environ["ATTEMPT"])
    context.artifacts.save("shade.png", Image.new("L", (2, 2), shade), "a shade of gray")
    if os.environ["ATTEMPT"] == "fails":
        raise RuntimeError("broken today")
    yield MetricValue(name="one", value=1.0)

def draw(weight, generator, options):
    # A GPU's kernels may give other numbers for the same run, too.
    weight.normal_(generator=generator).mul_(0.01 * len(os.environ["ATTEMPT"]))

@hookimpl
def rbench_register_metrics():
    yield Metric(name="one", summary="One.", measure=measure)

@hookimpl
def rbench_register_initializers():
    yield Initializer(name="unequal", summary="Unequal.", draw=draw)
"""


def test_a_failed_repetition_leaves_the_files_of_the_run_that_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "repeated.py").write_text(REPEATED)
    more = {"plugin": (str(tmp_path / "repeated.py"),), "init": "unequal", "metrics": ("one",)}
    output = tmp_path / "out"

    def attempt(name: str) -> Record:
        monkeypatch.setenv("ATTEMPT", name)
        made = rbench.run(
            **{**FIELDS, **more, "save_predictions": True, "save_weights": True},
            output=output,
            force=True,
        )
        assert not list(output.glob(".unfinished/*"))
        return made[0]

    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in output.glob("*/*") if path.is_file()}

    first = attempt("first time")
    assert [picture.file.split("/")[1] for picture in first.artifacts] == ["shade.png"]
    kept = files()
    assert set(kept) >= {"predictions.safetensors", "shade.png", "weights.safetensors"}
    with pytest.warns(UserWarning, match="broken today"):
        failed = attempt("fails")
    assert files() == kept
    assert (failed.status, failed.artifacts) == ("failed", [])
    assert attempt("second time").status == "done"
    replaced = files()
    assert all(replaced[name] != kept[name] for name in ("shade.png", "weights.safetensors"))
