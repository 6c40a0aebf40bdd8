from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import rbench
from rbench.plugin.catalog import Catalog
from rbench.records.record import Record
from rbench.runner import checkpoint
from rbench.runner.execute import Execution
from rbench.spec.resolve import resolve
from rbench.sweep.run_or_load import run_or_load

FIELDS: dict[str, Any] = {
    "model": "test_resnet",
    "dataset": "digits",
    "training": {"epochs": 2, "batch_size": 8, "mixup": 0.2, "keep": "best"},
    "limit": 32,
    "metrics": ("top1", "loss"),
    "device": "cpu",
}
STEPS = 8


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Stop(BaseException):
    """Stands for a death: nothing in the engine catches it."""


def killer(step: int, act: Any) -> Any:
    def progress(phase: str, done: int, total: int, text: str = "") -> None:
        if phase == "train" and done == step and not text:
            act()

    return progress


def stop() -> None:
    raise Stop


def go(folder: Path, progress: Any = None, every: int | None = 1, **more: Any) -> Record:
    catalog = Catalog.from_environment()
    cell = resolve(rbench.RunSpec(**{**FIELDS, **more}), catalog)
    folder.mkdir(parents=True, exist_ok=True)
    execution = Execution(folder=folder, checkpoint_every=every)
    if progress is not None:
        execution.progress = progress
    return run_or_load(cell, folder, execution).record


def numbers(record: Record) -> tuple[Any, ...]:
    assert record.status == "done", record.error
    metrics = [(value.name, value.value) for value in record.metrics]
    return metrics, record.result_sha256, record.network_sha256, record.history


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Record:
    torch.set_num_threads(1)
    return go(tmp_path_factory.mktemp("undisturbed"), every=0)


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 3])
def test_a_run_stopped_at_any_step_ends_as_if_undisturbed(
    tmp_path: Path, undisturbed: Record, every: int
) -> None:
    for step in range(1, STEPS + 1):
        folder = tmp_path / str(step)
        with pytest.raises(Stop):
            go(folder, killer(step, stop), every)
        record = go(folder, every=every)
        assert numbers(record) == numbers(undisturbed), step
        resumed = [note for note in record.notes if "resumed" in note]
        assert bool(resumed) == (step > every)
        assert not list(folder.glob(".checkpoints/**/step-*"))


@pytest.mark.slow
@pytest.mark.parametrize("training", [{"opt": "adamw"}, {"opt": "nadam"}])
def test_optimisers_with_more_state_resume_too(tmp_path: Path, training: dict[str, Any]) -> None:
    more = {"training": {**FIELDS["training"], **training}}
    whole = go(tmp_path / "whole", every=0, **more)
    with pytest.raises(Stop):
        go(tmp_path / "cut", killer(7, stop), 3, **more)
    assert numbers(go(tmp_path / "cut", every=3, **more)) == numbers(whole)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_resume as t
import os, signal
t.go(Path(sys.argv[2]), t.killer(int(sys.argv[3]), lambda: os.kill(os.getpid(), signal.SIGKILL)), 2)
"""


@pytest.mark.slow
def test_kill_dash_nine(tmp_path: Path, undisturbed: Record) -> None:
    here = str(Path(__file__).parent)
    for step in (4, 7):
        command = [sys.executable, "-c", SCRIPT, here, str(tmp_path), str(step)]
        threads = {"OMP_NUM_THREADS": "1"}
        dead = subprocess.run(command, env={**os.environ, **threads}, capture_output=True)
        assert dead.returncode == -signal.SIGKILL, dead.stderr.decode()[-2000:]
        assert not list(tmp_path.glob("*.json"))
    # What a torn write leaves behind is passed over for the checkpoint before, with a word.
    newest = max(tmp_path.glob(".checkpoints/*/*/step-*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-1000])
    record = go(tmp_path, every=2)
    assert numbers(record) == numbers(undisturbed)
    assert any("is incomplete" in note for note in record.notes)
    assert any("after step 4 of 8" in note for note in record.notes)


def test_two_are_kept_and_every_kind_of_tear_is_seen(tmp_path: Path) -> None:
    for step in range(1, 5):
        checkpoint.save(tmp_path, step, {"x": torch.full((3,), float(step))}, {"step": step})
    stems = {path.stem for path in tmp_path.iterdir()}
    assert stems == {"step-00000003", "step-00000004"}
    found = checkpoint.load(tmp_path)
    assert found is not None
    assert found.facts == {"step": 4}
    assert found.tensors["x"].tolist() == [4.0] * 3
    newest = tmp_path / "step-00000004.safetensors"
    whole = newest.read_bytes()
    flipped = bytes([*whole[:-1], whole[-1] ^ 1])
    for content in (b"", whole[:20], flipped, b"\x80\x04pickle"):
        newest.write_bytes(content)
        notes: list[str] = []
        found = checkpoint.load(tmp_path, notes.append)
        assert found is not None
        assert found.step == 3
        assert len(notes) == 1
    newest.write_bytes(whole)
    (tmp_path / "step-00000004.facts").write_text("{")
    found = checkpoint.load(tmp_path)
    assert found is not None
    assert found.step == 3


def test_an_optimisers_state_survives_json() -> None:
    tensors: dict[str, torch.Tensor] = {}
    tree = {
        "state": {0: {"a": torch.ones(2), "n": 3}},
        "groups": [{"betas": (0.9, 0.1), "b": None}],
    }
    flat = checkpoint.flatten(tree, "s", tensors)
    back = checkpoint.unflatten(flat, tensors)
    assert back["groups"] == tree["groups"]
    assert back["state"][0]["n"] == 3
    assert torch.equal(back["state"][0]["a"], torch.ones(2))
    with pytest.raises(TypeError, match="cannot hold"):
        checkpoint.flatten({"f": print}, "s", tensors)
