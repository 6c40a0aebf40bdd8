from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import rbench
from rbench.plugin import contexts
from rbench.plugin.catalog import Catalog
from rbench.records.record import Record
from rbench.runner import execute as execution
from rbench.runner import resume, training
from rbench.spec.resolve import resolve


def run(**more: Any) -> Record:
    fields: dict[str, Any] = {"epochs": 1, "batch_size": 8, "limit": 16, "metrics": ("top1",)}
    return rbench.run(
        "test_resnet", dataset="digits", device="cpu", output=None, **{**fields, **more}
    )[0]


def full(monkeypatch: pytest.MonkeyPatch, largest: int) -> list[int]:
    """Let a GPU run out of memory at more than ``largest`` images; return the sizes tried."""
    tried: list[int] = []
    step = training._step

    def limited(runner: Any, optimizer: Any, loss: Any, batch: Any, context: Any) -> Any:
        size = len(batch.images) // context.training.grad_accum_steps
        tried.append(size)
        if size > largest:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return step(runner, optimizer, loss, batch, context)

    monkeypatch.setattr(training, "_step", limited)
    return tried


@pytest.mark.slow
def test_once_more_at_half_the_micro_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    accumulated = run(grad_accum_steps=2)
    tried = full(monkeypatch, 4)
    record = run()
    assert record.status == "done"
    assert tried == [8, 4, 4]
    assert any("out of GPU memory" in note and "2 parts" in note for note in record.notes)
    assert record.environment["micro_batch"] == 4
    # From the same weights on it is the run that asks for two parts itself.
    assert record.network_sha256 == accumulated.network_sha256
    assert record.result_sha256 == accumulated.result_sha256
    assert record.digest != accumulated.digest


@pytest.mark.slow
def test_twice_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = full(monkeypatch, 2)
    with pytest.warns(UserWarning, match="out of memory"):
        record = run()
    assert tried == [8, 4]
    assert record.status == "failed"
    assert record.error is not None
    assert record.error.kind == "OutOfMemoryError"


def test_an_odd_batch_cannot_be_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = full(monkeypatch, 2)
    with pytest.warns(UserWarning, match="out of memory"):
        record = run(batch_size=7)
    assert tried == [7]
    assert record.status == "failed"


def test_what_was_lost_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted process, then one whose memory does not suffice for its second step."""
    clock = {"now": 0.0}
    for module in (contexts, execution, resume, training):
        monkeypatch.setattr(module, "perf_counter", lambda: clock["now"])
    ends: list[BaseException | None] = [None, None, KeyboardInterrupt()]
    ends += [None, torch.OutOfMemoryError("CUDA out of memory"), None, None]
    left, step = iter(ends), training._step

    def one_second(*arguments: Any) -> Any:
        clock["now"] += 1
        if (error := next(left)) is not None:
            raise error
        return step(*arguments)

    monkeypatch.setattr(training, "_step", one_second)
    spec = rbench.RunSpec(
        model="test_resnet",
        dataset="digits",
        device="cpu",
        metrics=("top1",),
        limit=40,
        limit_test=8,
        training={"epochs": 1, "batch_size": 8},
    )
    run = resolve(spec, Catalog.from_environment())
    how = execution.Execution(folder=tmp_path, checkpoint_every=1)
    assert execution.execute(run, how).status == "interrupted"
    record = execution.execute(run, how)
    assert record.status == "done", record.error
    assert record.environment["micro_batch"] == 4
    # Until its checkpoint the first process took two seconds, and the second one takes four.
    assert record.seconds == 2 + 4
    (train,) = (phase for phase in record.timing if phase.name == "train")
    assert (train.seconds, train.images, train.images_per_second) == (5.0, 40, 8.0)
