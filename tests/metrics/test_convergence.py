"""The speed of learning on curves whose answer is known, and from a real run."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from rbench_plugins.metrics import convergence
from torch import nn

import rbench
from rbench import MetricContext, Outcome


def measured(history: dict[str, list[float]]) -> tuple[dict[str, float | None], list[str]]:
    notes: list[str] = []
    context = MetricContext(
        seed=0, device=torch.device("cpu"), accelerator=cast(Any, None), note=notes.append
    )
    metric = convergence.COMPONENT
    values = metric.measure(
        Outcome(network=nn.Identity(), history=history), context, metric.options()
    )
    return {value.name: value.value for value in values}, notes


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.2])
def test_an_exponential_fall_reaches_ninety_percent_where_its_law_says(rate: float) -> None:
    steps = np.arange(1000)
    values, _ = measured({"step_loss": list(3 + 7 * np.exp(-rate * steps))})
    assert values["train_share_to_90"] == pytest.approx((np.log(10) / rate + 1) / 1000, abs=1e-3)
    area = 3 + 7 / 1000 / (1 - np.exp(-rate))
    assert values["train_loss_mean"] == pytest.approx(area, rel=1e-5)


def test_steps_come_before_epochs_and_untrained_runs_have_no_curve() -> None:
    values, _ = measured({"train_loss": [9.0, 1.0], "step_loss": [8.0, 4.0, 0.0, 0.0]})
    assert values == {"train_loss_mean": 3.0, "train_share_to_90": 0.75}
    assert measured({"train_loss": [9.0, 1.0]})[0]["train_loss_mean"] == 5.0
    values, notes = measured({})
    assert values == {}
    assert "fewer than two points" in notes[0]


@pytest.mark.parametrize("curve", [[2.3, 2.4, 3.0, 4.0], [2.3, 2.3, 2.3], [1.0, 5.0, 1.0]])
def test_a_loss_that_never_falls_has_no_share(curve: list[float]) -> None:
    values, notes = measured({"train_loss": curve})
    mean = pytest.approx(np.mean(curve))
    assert values == {"train_loss_mean": mean, "train_share_to_90": None}
    assert notes == ["convergence: the training loss never falls below its first point"]


@pytest.mark.slow
def test_a_run_records_it(tmp_path: Any) -> None:
    (record,) = rbench.run(
        model="resnet10t",
        limit=64,
        output=str(tmp_path),
        metrics=["convergence"],
        training={"epochs": 2, "batch_size": 32},
    )
    values = {metric.name: metric.value for metric in record.metrics}
    losses = [loss for loss in record.history["train_loss"] if loss is not None]
    assert values["train_loss_mean"] == pytest.approx(sum(losses) / 2)
