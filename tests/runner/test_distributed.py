"""Two real processes (gloo, CPU) against one: the same run, the same record."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import rbench
from rbench.plugin.recipe import Training
from rbench.records.record import Record, read
from rbench.runner.batches import training_batches
from rbench.runner.resume import COMMON_STEPS
from tests.helpers import faulty_plugin

CASES: dict[str, dict[str, Any]] = {
    # Group norms see one image at a time: training is the same but for the order of sums.
    "trained": {
        "model": "test_efficientnet_gn",
        "epochs": 2,
        "batch_size": 16,
        "metrics": ("top1", "loss"),
    },
    "batch norm": {"model": "test_resnet", "epochs": 1, "batch_size": 16, "metrics": ("loss",)},
    "untrained": {
        "model": "test_resnet",
        "task_kwargs": {"train": False},
        "metrics": ("top1", "loss", "fgsm"),
    },
}
COMMON: dict[str, Any] = {"dataset": "digits", "device": "cpu"}
TOLERANCE = 1e-3
"""Relative, of losses: sums over two halves of a batch round otherwise than over the whole."""

SCRIPT = f"""
import sys
import rbench
for name, fields in {CASES!r}.items():
    if "epochs" in fields:
        fields = dict(fields, limit=64)
    rbench.run(output=sys.argv[1] + "/" + name, **{COMMON!r}, **fields)
"""


def fields(name: str) -> dict[str, Any]:
    limit = {"limit": 64} if "epochs" in CASES[name] else {}
    return {**COMMON, **CASES[name], **limit}


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def launchers_variables(rank: int, port: str) -> dict[str, str]:
    """What tells a process that it is one of two nodes."""
    return {
        "RANK": str(rank),
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    """The cases on two processes that know each other by the launcher's variables, as two nodes."""
    folder = tmp_path_factory.mktemp("two")
    port = free_port()
    nodes = []
    for rank in range(2):
        nodes.append(
            subprocess.Popen(
                [sys.executable, "-c", SCRIPT, str(folder)],
                env={**os.environ, **launchers_variables(rank, port)},
                stderr=subprocess.PIPE,
            )
        )
    said = [node.communicate(timeout=400)[1].decode() for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said
    found = {}
    for name in CASES:
        (path,) = (folder / name).glob("*.json")
        found[name] = read(path)
    return found


@pytest.fixture(scope="module")
def one() -> dict[str, Record]:
    torch.set_num_threads(1)
    return {name: rbench.run(**fields(name), output=None)[0] for name in CASES}


@pytest.mark.slow
def test_both_are_the_same_run(one: dict[str, Record], two: dict[str, Record]) -> None:
    for name in CASES:
        assert two[name].status == "done", two[name].error
        assert two[name].environment["processes"] == 2
        assert two[name].digest == one[name].digest
        assert two[name].network_sha256 == one[name].network_sha256


@pytest.mark.slow
def test_untrained_numbers_are_the_same(one: dict[str, Record], two: dict[str, Record]) -> None:
    assert two["untrained"].metrics == one["untrained"].metrics
    assert two["untrained"].metric("top1").n == 360


@pytest.mark.slow
def test_trained_numbers_agree(one: dict[str, Record], two: dict[str, Record]) -> None:
    expected, found = one["trained"], two["trained"]
    assert found.history["train_loss"] == pytest.approx(
        expected.history["train_loss"], rel=TOLERANCE
    )
    assert found.metric("loss").value == pytest.approx(expected.metric("loss").value, rel=TOLERANCE)
    assert found.metric("top1").n == 360


@pytest.mark.slow
def test_the_record_says_how_norms_were_shared(
    one: dict[str, Record], two: dict[str, Record]
) -> None:
    assert any("not synchronized" in note for note in two["batch norm"].notes)
    assert not any("synchronized" in note for note in one["batch norm"].notes)
    assert not any("synchronized" in note for note in two["trained"].notes)


@pytest.mark.slow
def test_one_record_by_torchrun(one: dict[str, Record], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "rbench", "run", "--model", "test_resnet"]
    command += ["--dataset", "digits", "--device", "cpu", "--task-kwargs", "train=false"]
    command += ["--metrics", "top1", "loss", "fgsm", "--output", str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*.json")
    assert read(path).metrics == one["untrained"].metrics
    assert done.stdout.count("record:") == 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="needs its signals")
def test_one_that_is_asked_to_leave_takes_the_other_along(tmp_path: Path) -> None:
    """At a step where no checkpoint is due; afterwards both go on where they were."""
    words = ["-m", "rbench", "run", "--model", "test_resnet", "--dataset", "digits"]
    words += ["--device", "cpu", "--epochs", "2", "-b", "4", "--metrics", "loss"]
    words += ["--checkpoint-every", "7", "--output"]

    def launch() -> list[subprocess.Popen[str]]:
        port = free_port()
        return [
            subprocess.Popen(
                [sys.executable, *words, str(tmp_path)],
                env={**os.environ, **launchers_variables(rank, port)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]

    nodes = launch()
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(".checkpoints/*/0/*.facts")) and time.monotonic() < deadline:
        time.sleep(0.01)
    nodes[1].send_signal(signal.SIGUSR2)
    said = [node.communicate(timeout=120)[1] for node in nodes]
    assert [node.returncode for node in nodes] == [143, 128 + signal.SIGUSR2], said
    saved = tmp_path.glob(".checkpoints/*/0/*.facts")
    step = max(int(path.stem.removeprefix("step-")) for path in saved)
    assert step % COMMON_STEPS == 0 or step % 359 == 0
    nodes = launch()
    said = [node.communicate(timeout=300)[1] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said
    (path,) = tmp_path.glob("*.json")
    record = read(path)
    assert record.status == "done"
    assert f"resumed from a checkpoint after step {step} of 718" in record.notes
    assert len(record.history["train_loss"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("launched", [True, False], ids=["torchrun", "two nodes"])
def test_a_process_that_fails_leaves_a_record(tmp_path: Path, launched: bool) -> None:
    """Whichever process it is, and whatever the others say when it is gone."""
    output = tmp_path / "out"
    words = ["-m", "rbench", "run", "--model", "trouble", "--dataset", "digits", "--device", "cpu"]
    words += ["--model-kwargs", "how='raise on one'", "--epochs", "1", "-b", "16"]
    words += ["--metrics", "top1", "--output", str(output)]
    path = faulty_plugin.environment(faulty_plugin.install(tmp_path / "plugin"))
    if launched:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        command = [sys.executable, *launcher, *words]
        assert subprocess.run(command, capture_output=True, env=path, timeout=300).returncode
    else:
        port = free_port()
        nodes = {}
        for rank in (1, 0):
            nodes[rank] = subprocess.Popen(
                [sys.executable, *words],
                env={**path, **launchers_variables(rank, port)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            # The one that fails begins earlier, by the clock of records too.
            time.sleep(2)
        for node in nodes.values():
            node.communicate(timeout=300)
        assert nodes[1].returncode == 1
        assert nodes[0].returncode
    (found,) = output.glob("*.json")
    record = read(found)
    assert record.status == "failed"
    assert record.error is not None
    assert record.error.message == "the second process is upset"
    assert "process 1 of 2 failed" in record.notes


@pytest.mark.slow
@pytest.mark.parametrize(("of_all", "of_second"), [(5, 0), (0, 5)], ids=["first", "last"])
def test_a_metric_that_fails_in_one_process_fails_the_run(
    tmp_path: Path, of_all: int, of_second: int
) -> None:
    """Whether its process is the first or the last to end; the files of a good run stay."""
    output = tmp_path / "out"
    words = ["-m", "rbench", "run", "--model", "trouble", "--dataset", "digits", "--device", "cpu"]
    words += ["--task-kwargs", "train=false", "--save-weights", "--output", str(output)]
    words += ["--metrics", "tally", "--metric-kwargs", f"tally.file='{tmp_path / 'seen'}'"]
    words += [f"tally.seconds={of_all}"]
    path = faulty_plugin.environment(faulty_plugin.install(tmp_path / "plugin"))
    subprocess.run([sys.executable, *words], env=path, check=True, timeout=300)
    (weights,) = output.glob("*/weights.safetensors")
    before = weights.stat().st_mtime_ns
    port = free_port()
    nodes = [
        subprocess.Popen(
            [sys.executable, *words, "--force"],
            env={**path, **launchers_variables(rank, port), "UPSET": str(of_second)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in (0, 1)
    ]
    said = [node.communicate(timeout=300) for node in nodes]
    assert [node.returncode for node in nodes] == [1, 1], said
    records = {path.name.count("failed"): read(path) for path in output.glob("*.json")}
    assert (len(records), records[0].status, records[1].status) == (2, "done", "failed")
    error = records[1].error
    assert error is not None
    assert error.message == "the metric is upset"
    assert "process 1 of 2 failed" in records[1].notes
    assert weights.stat().st_mtime_ns == before


def test_the_same_global_batches_in_the_same_order() -> None:
    from rbench.plugin.catalog import Catalog
    from rbench.runner.load_data import open_data
    from rbench.spec.resolve import resolve

    spec = rbench.RunSpec(model="test_resnet", dataset="digits", device="cpu")
    data, _ = open_data(resolve(spec, Catalog.from_environment()))
    recipe = Training(epochs=1, batch_size=12, lr=0.1, crop_pad=2, hflip=0.5)

    def batches(rank: int, processes: int) -> list[rbench.Batch]:
        made = training_batches(
            data,
            recipe,
            seed=3,
            device=torch.device("cpu"),
            rank=rank,
            processes=processes,
            limit=60,
        )
        return list(made.epoch(1))

    whole, shares = batches(0, 1), [batches(rank, 3) for rank in range(3)]
    for step, batch in enumerate(whole):
        parts = [share[step] for share in shares]
        assert torch.equal(torch.cat([part.images for part in parts]), batch.images)
        labels = [part.labels for part in parts if part.labels is not None]
        assert batch.labels is not None
        assert torch.equal(torch.cat(labels), batch.labels)
