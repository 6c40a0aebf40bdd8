from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn

import rbench as rb
from rbench.errors import UserError
from rbench.plugin.contexts import Probe, TaskContext
from rbench.records.record import MetricValue
from rbench.runner.batches import training_batches
from rbench.runner.evaluation import unchanged
from rbench.runner.training import train
from tests.runner.test_resume import Stop, go, killer, stop
from tests.runner.test_training import CPU, data, mean_square, recipe
from tests.runner.test_validation import TINY

CURVES: dict[str, Any] = {
    "val": 50,
    "eval_every": 2,
    "eval_metrics": ("top1", "loss", "fgsm"),
    "metrics": ("top1", "loss", "fgsm"),
}


@pytest.mark.slow
def test_curves_change_no_number_and_end_in_the_final_metrics() -> None:
    plain, curves = (
        rb.run(**{**TINY, **CURVES, "eval_every": every, "eval_split": "test"})[0]
        for every in (None, 2)
    )
    assert curves.status == "done", curves.error
    assert curves.digest == plain.digest
    assert curves.result_sha256 == plain.result_sha256
    assert curves.metrics == plain.metrics
    assert curves.history["train_loss"] == plain.history["train_loss"]
    for value in curves.metrics:
        series = curves.history[f"{value.name}@test"]
        assert [number is None for number in series] == [True, False, False], series
        assert series[-1] == value.value
    assert "fgsm@1/255@test" in curves.history
    seconds = curves.history["seconds"]
    assert all(a < b for a, b in zip([0.0, *seconds], seconds, strict=False))  # type: ignore[operator]
    assert curves.history["images"] == [32, 64, 96]
    assert "curves" in {phase.name for phase in curves.timing}


@pytest.mark.slow
def test_curves_in_mixed_precision_are_measured_in_float32() -> None:
    fields = {**TINY, "val": 50, "eval_every": 1, "eval_split": "test", "eval_metrics": ("loss",)}
    (record,) = rb.run(**fields, amp=True, channels_last=True)
    assert record.environment["precision"] == "bfloat16"
    assert record.history["loss@test"][-1] == record.metric("loss").value


@pytest.mark.slow
def test_a_resumed_run_has_the_same_curves(tmp_path: Path) -> None:
    more: dict[str, Any] = {"val": 50, "eval_every": 1}
    whole = go(tmp_path / "whole", every=0, **more)
    for step in (2, 5):
        with pytest.raises(Stop):
            go(tmp_path / str(step), killer(step, stop), 1, **more)
        resumed = go(tmp_path / str(step), every=1, **more)
        assert whole.history.keys() == resumed.history.keys()
        assert len(resumed.history["seconds"]) == 2
        for record in (whole, resumed):
            record.history.pop("seconds")
        assert resumed.history == whole.history
        assert resumed.selection == whole.selection
        whole.history["seconds"] = [0.0, 0.0]


def test_a_resumed_training_says_where_its_curves_begin(tmp_path: Path) -> None:
    training = {"epochs": 2, "batch_size": 8}
    with pytest.raises(Stop):
        go(tmp_path / "cut", killer(6, stop), 1, training=training)
    cut = go(tmp_path / "cut", every=1, training=training, eval_every=1)
    assert cut.history["top1@test"][0] is None
    assert cut.history["top1@test"][1] is not None
    assert any("the curves begin after epoch 1" in note for note in cut.notes)

    def stop_at_the_end(phase: str, done: int, total: int, text: str = "") -> None:
        if phase != "train":
            stop()

    with pytest.raises(Stop):
        go(tmp_path / "ended", stop_at_the_end, 1, training=training)
    assert list((tmp_path / "ended").glob(".checkpoints/*/0/step-00000008.facts"))
    with pytest.raises(Stop):
        go(tmp_path / "ended", killer(3, stop), 1, training=training, eval_every=1)
    ended = go(tmp_path / "ended", every=1, training=training, eval_every=1)
    assert None not in ended.history["top1@test"]
    assert any("resumed from a checkpoint after step 2 of 8" in note for note in ended.notes)
    assert ended.result_sha256 == cut.result_sha256


def test_what_a_task_cannot_give_is_not_asked_of_it_again(tmp_path: Path) -> None:
    fields: dict[str, Any] = {
        "task": "reconstruction",
        "task_kwargs": {"train": True},
        "model": "rrvgg",
        "model_kwargs": {"width": 4},
        "img_size": 24,
        "dataset_kwargs": {"images": 3, "crops": 8},
        "epochs": 1,
        "batch_size": 8,
        "decay_milestones": [1],
        "metrics": ("squared_error",),
        "output": tmp_path,
    }
    asked: dict[str, Any] = {"eval_every": 1, "save_predictions": True}
    (plain,) = rb.run(**fields)
    assert plain.impossible == []
    (first,) = rb.run(**fields, **asked)
    assert first.status == "done", first.error
    assert first.impossible == ["curves", "predictions"]
    assert first.seconds != plain.seconds
    (again,) = rb.run(**fields, **asked)
    assert again.seconds == first.seconds, "it was run again"


class Untidy(nn.Module):
    """A network with one part that stays in eval mode while the rest trains."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(108, 1)
        self.norm = nn.BatchNorm1d(1).eval()
        self.wrapped = False

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.norm(self.layer(images))


def disturb(module: nn.Module) -> None:
    """What a careless metric does."""
    module.eval()
    module(torch.ones(2, 108)).sum().backward()
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)


def test_a_careless_metric_leaves_no_trace() -> None:
    module = Untidy()
    module.__dict__["forward"] = lambda images: Untidy.forward(module, images) * 0
    before = torch.random.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]
    modes = [m.training for m in module.modules()]
    with unchanged(module, 3):
        assert module(torch.ones(2, 108)).abs().sum() > 0, "the wrapper is off"
        disturb(module)
    assert module(torch.ones(2, 108)).abs().sum() == 0, "the wrapper is on again"
    assert [m.training for m in module.modules()] == modes
    assert all(p.grad is None for p in module.parameters())
    after = torch.random.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def context(*probes: Probe, **fields: object) -> TaskContext:
    return TaskContext(
        network=nn.Identity(),
        data=data(),
        training=recipe(**fields),
        seed=0,
        accelerator=Accelerator(cpu=True),
        probes=probes,
    )


def test_the_lowest_value_wins_where_lower_is_better() -> None:
    scores = iter([3.0, 1.0, float("nan"), 2.0])

    def measure(outcome: rb.Outcome) -> list[MetricValue]:
        return [MetricValue(name="error", value=next(scores), higher_is_better=False)]

    probe = Probe(split="val", every=1, measure=measure, selects=True)
    made = context(probe, keep="best", epochs=4)
    network = nn.Linear(108, 1)
    kept: list[torch.Tensor] = []

    def evaluate(split: rb.Split) -> rb.Outcome:
        kept.append(network.weight.detach().clone())
        return rb.Outcome(network=network)

    assert made.training is not None
    batches = training_batches(made.data, made.training, seed=0, device=CPU)
    train(network, batches, mean_square, made, evaluate)
    assert made.selection is not None
    assert (made.selection.epoch, made.selection.value) == (2, 1.0)
    assert torch.equal(network.weight, kept[1])
    assert not torch.equal(network.weight, kept[3])


def test_keep_best_without_a_way_to_evaluate_is_refused() -> None:
    made = context(keep="best")
    assert made.training is not None
    batches = training_batches(made.data, made.training, seed=0, device=CPU)
    with pytest.raises(UserError, match="no score by which to select an epoch"):
        train(nn.Linear(108, 1), batches, mean_square, made)
