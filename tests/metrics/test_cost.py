"""cost counts the entries that learn, as the freeze report does."""

from __future__ import annotations

from typing import Any

import pytest

import rbench


@pytest.mark.parametrize(
    "options",
    [
        {"freeze": "none"},
        {"freeze": "fraction", "freeze_kwargs": {"fraction": {"p": 0.7}}},
        {"freeze": "fraction", "freeze_kwargs": {"fraction": {"unit": "weight"}}},
        {"freeze": ["all", "!random_parameters"]},
        {"freeze": ["fraction", "head"], "unfreeze": ["1:head"]},
    ],
)
def test_learnable_parameters_are_those_of_the_freeze_report(options: dict[str, Any]) -> None:
    (record,) = rbench.run(
        model="resnet_cifar_8_4",
        dataset="digits",
        limit=64,
        epochs=2,
        amp=False,
        metrics=["cost"],
        output=None,
        **options,
    )
    assert record.status == "done", record.error
    assert record.freeze is not None
    counted = record.metric("learnable_parameters").value
    assert counted == record.freeze.learnable.count
    if options["freeze"] != "none":
        assert counted < record.metric("stored_parameters").value
