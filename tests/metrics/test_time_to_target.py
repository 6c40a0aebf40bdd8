"""time_to_target on written curves and on a real run."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest
import torch
from rbench_plugins.metrics.time_to_target import COMPONENT, TargetOptions
from torch import nn

import rbench
from rbench import MetricContext, MetricValue, Outcome

HISTORY = {
    "train_loss": [2.0, 1.0, 0.5, 0.3],
    "top1@test": [10.0, 95.0, 96.0, 97.0],
    "top1@val": [50.0, math.nan, 90.0, 89.0],
    "loss@val": [1.5, 1.2, 0.9, 1.0],
    "seconds": [1.5, 3.0, 4.5, 6.0],
    "images": [100.0, 200.0, 300.0, 400.0],
}


def measured(
    history: dict[str, list[float]], **options: Any
) -> tuple[list[MetricValue], list[str]]:
    notes: list[str] = []
    context = MetricContext(
        seed=0, device=torch.device("cpu"), accelerator=cast(Any, None), note=notes.append
    )
    outcome = Outcome(network=nn.Identity(), history=history)
    return list(COMPONENT.measure(outcome, context, TargetOptions(**options))), notes


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (4.5, 300, 3)),
        ({"target": 50}, (1.5, 100, 1)),
        ({"target": 95, "curve": "top1@test"}, (3.0, 200, 2)),
        ({"target": 1.2, "curve": "loss@val", "lower_is_better": True}, (3.0, 200, 2)),
    ],
)
def test_the_first_epoch_that_reaches_it(
    options: dict[str, Any], expected: tuple[float, ...]
) -> None:
    values, notes = measured(HISTORY, **options)
    assert [value.name for value in values] == [
        "seconds_to_target",
        "images_to_target",
        "epochs_to_target",
    ]
    assert tuple(value.value for value in values) == expected
    assert not notes


def test_a_target_that_is_not_reached_is_none() -> None:
    values, notes = measured(HISTORY, target=99)
    assert [value.value for value in values] == [None] * 3
    assert notes == ["time_to_target: top1@val did not reach 99"]


def test_without_curves_there_is_a_note() -> None:
    assert measured({"train_loss": [1.0]}) == (
        [],
        ["time_to_target: the history has no curve top1@val or top1@test; see --eval-every"],
    )


def test_on_a_run_with_curves() -> None:
    (record,) = rbench.run(
        model="resnet_cifar_8_4",
        dataset="digits",
        epochs=2,
        limit=256,
        eval_every=1,
        metrics=["time_to_target"],
        metric_kwargs={"time_to_target": {"target": 0.0}},
        amp=False,
        output=None,
        progress=False,
    )
    assert record.status == "done", record.error
    assert record.metric("epochs_to_target").value == 1
    assert record.metric("seconds_to_target").value == record.history["seconds"][0]
    assert record.metric("images_to_target").value == record.history["images"][0]
