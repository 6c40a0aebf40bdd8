"""Real runs: a small timm model on digits, through the whole engine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

import rbench as rb
from rbench import hardware
from rbench.files import write_atomically
from rbench.records.record import parse, read, to_json
from tests.conftest import Rbench

TINY = {"model": "resnet10t", "epochs": 1, "limit": 128, "metrics": ("top1", "loss")}


@pytest.fixture(scope="module")
def record() -> rb.Record:
    (record,) = rb.run(**TINY, freeze="spatial")
    return record


def test_a_record_says_everything(record: rb.Record) -> None:
    assert record.status == "done"
    assert record.comparable is False, "a limit makes it incomparable"
    assert record.freeze is not None
    assert record.freeze.frozen.count > record.freeze.learnable.count > 0
    assert record.freeze.frozen.sha256 == record.freeze.sha256_after
    assert record.network_sha256 != record.result_sha256
    assert {phase.name for phase in record.timing} >= {"data", "build", "train", "evaluate"}
    assert record.data is not None
    assert (record.data.train_images, record.data.test_images) == (1437, 360)
    assert [m.name for m in record.metrics] == ["top1", "loss"]
    assert record.metric("top1").n == 360
    assert len(record.history["train_loss"]) == 1
    packages = record.environment["packages"]
    assert isinstance(packages, dict)
    assert str(packages["torch"]).split("+")[0] == torch.__version__.split("+")[0]


def test_json_goes_round(record: rb.Record) -> None:
    assert parse(to_json(record), "here") == record


def test_the_same_spec_gives_the_same_numbers(record: rb.Record) -> None:
    (again,) = rb.run(**TINY, freeze="spatial")
    assert again.digest == record.digest
    assert again.result_sha256 == record.result_sha256
    assert again.metrics == record.metrics


@pytest.mark.parametrize(("flag", "noted"), [("avx2", True), ("avx512_bf16", False)])
def test_bfloat16_on_a_processor_without_it_is_told(
    flag: str, noted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "cpu_flags", lambda: frozenset({flag}))
    (record,) = rb.run(**{**TINY, "limit": 8, "batch_size": 8}, amp=True, device="cpu")
    told = [note for note in record.notes if "--set training.amp=false" in note]
    assert bool(told) == noted
    (record,) = rb.run(**{**TINY, "limit": 8, "batch_size": 8}, amp=False, device="cpu")
    assert not any("bfloat16" in note for note in record.notes)


@pytest.mark.slow
def test_seeds_are_records_of_their_own_and_differ() -> None:
    one, other = rb.run(**TINY, seeds=2)
    assert (one.seed, other.seed) == (0, 1)
    assert one.digest != other.digest
    assert one.network_sha256 != other.network_sha256
    assert one.protocol == other.protocol


def test_everything_frozen_is_refused_where_the_task_trains() -> None:
    with pytest.raises(rb.UserError, match="--freeze all: nothing is left to learn"):
        rb.run(**TINY, freeze="all")
    untrained = {name: value for name, value in TINY.items() if name != "epochs"}
    (record,) = rb.run(**untrained, freeze="all", task_kwargs={"train": False})
    assert record.network_sha256 == record.result_sha256


@pytest.mark.slow
def test_mixed_precision_ends_in_float32_numbers() -> None:
    (record,) = rb.run(**TINY, amp=True, channels_last=True)
    assert record.status == "done", record.error
    assert record.environment["precision"] == "bfloat16"


def test_batchnorm_policy_learns_norms_and_classifier_only() -> None:
    (record,) = rb.run(**TINY, freeze="batchnorm")
    assert record.freeze is not None
    assert "fc.weight" in record.freeze.learnable.names
    network = timm.create_model("resnet10t")
    for name in record.freeze.learnable.names:
        layer = network.get_submodule(name.rpartition(".")[0])
        assert name.startswith("fc.") or isinstance(layer, torch.nn.BatchNorm2d)


def test_frozen_weights_that_move_fail_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    import rbench_plugins.tasks.classification as classification

    honest = classification.COMPONENT.run

    def meddler(context: rb.TaskContext, options: Any) -> rb.ClassificationOutcome:
        outcome = honest(context, options)
        with torch.no_grad():
            next(p for p in outcome.network.parameters() if not p.requires_grad).add_(1e-3)
        assert isinstance(outcome, rb.ClassificationOutcome)
        return outcome

    object.__setattr__(classification.COMPONENT, "run", meddler)
    try:
        with pytest.warns(UserWarning, match="seed 0 failed: FrozenWeightsMoved"):
            (record,) = rb.run(**TINY, freeze="spatial")
    finally:
        object.__setattr__(classification.COMPONENT, "run", honest)
    assert record.status == "failed"
    assert record.error is not None
    assert record.error.kind == "FrozenWeightsMoved"


def test_a_diverged_run_is_a_failed_record() -> None:
    with pytest.warns(UserWarning, match="the training loss of epoch 1 is nan"):
        (record,) = rb.run(**{**TINY, "lr": 1e30, "smoothing": 0.0})
    assert record.status == "failed"
    assert record.error is not None
    assert record.error.kind == "Diverged"
    assert "Traceback" in record.error.traceback


def test_done_runs_are_found_again_and_force_runs_them(tmp_path: Path) -> None:
    tiny = {**TINY, "task_kwargs": {"train": False}}
    del tiny["epochs"]
    (first,) = rb.run(**tiny, output=tmp_path)
    (path,) = tmp_path.glob("*.json")
    assert read(path) == first
    marked = first.model_copy(update={"command": "the first"})
    write_atomically(path, to_json(marked))
    (found,) = rb.run(**tiny, output=tmp_path)
    assert found == marked
    (forced,) = rb.run(**tiny, output=tmp_path, force=True)
    assert forced.command != "the first"
    assert read(path) == forced


@pytest.mark.slow
def test_command_line_prints_records_as_json_and_verifies_them(
    rbench: Rbench, tmp_path: Path
) -> None:
    words = ["--model", "resnet10t", "--epochs", "1", "--limit", "128", "--metrics", "top1"]
    done = rbench("run", *words, "--json")
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert record["metrics"][0].keys() >= {"name", "value", "unit", "higher_is_better", "n"}
    again = rbench("run", *words)
    assert "already" in again.stderr
    assert "top1" in again.stdout
    (path,) = (tmp_path / "results").glob("*.json")
    verified = rbench("verify", str(path))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "top1" in verified.stdout
    content = json.loads(path.read_text())
    content["metrics"][0]["value"] += 1
    path.write_text(json.dumps(content))
    refuted = rbench("verify", str(path))
    assert refuted.returncode == 1
    assert "DIFFERS" in refuted.stdout


def hear_control_c() -> None:
    """What a shell runs in the background ignores Ctrl-C, and so does what that starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_control_c_leaves_a_record_that_says_interrupted(tmp_path: Path) -> None:
    # With checkpoints it saves one instead: tests/cli/test_run.py.
    words = ["run", "--model", "resnet18", "--epochs", "500", "--metrics", "top1"]
    words += ["--checkpoint-every", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "rbench", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_control_c,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("train"):
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    (path,) = (tmp_path / "results").glob("*.json")
    assert read(path).status == "interrupted"
