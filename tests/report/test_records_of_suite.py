"""The records that a suite's figures show: those of its configurations, however written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rbench.files import write_atomically
from rbench.records.record import to_json
from rbench.report.plot.records_of_suite import suite_items
from rbench.spec.parse import parse
from rbench.spec.suite_spec import SuiteSpec
from tests.helpers.synthetic_records import record

SUPERMASK = "supermask_resnet_cifar_20_16"
SUITE: dict[str, Any] = {
    "name": "tiny",
    "summary": "A plain network and one that selects weights.",
    "base": {"dataset": "digits"},
    "grid": [
        {"model": "resnet_cifar_20_16"},
        {"model": SUPERMASK, "model_kwargs.keep": [0.3, 0.5]},
        {"model": SUPERMASK, "model_kwargs.distribution": "kaiming_normal"},
    ],
}


@pytest.mark.parametrize(
    ("fields", "arm"),
    [
        ({"model": "resnet_cifar_20_16"}, "resnet_cifar_20_16"),
        ({"model": "resnet_cifar_20_16", "freeze": "none"}, "resnet_cifar_20_16"),
        ({"model": "resnet_cifar_20_16", "freeze": "spatial"}, None),
        ({"model": "resnet_cifar_20_16", "init": "he_normal"}, None),
        ({"model": "resnet_cifar_20_16", "options": {"grad_scale_as_lc": 8}}, None),
        ({"model": "resnet_cifar_20_16", "training": {"lr": 0.5}}, None),
        ({"model": "resnet_cifar_20_16", "task_kwargs": {"train": True}}, "resnet_cifar_20_16"),
        ({"model": "resnet_cifar_20_16", "task_kwargs": {"train": False}}, None),
        ({"model": "resnet_cifar_20_16", "data_dir": "/elsewhere"}, "resnet_cifar_20_16"),
        ({"options": {"keep": 0.3}}, "keep 0.3"),
        ({"options": {"keep": 0.3, "distribution": "signed_constant"}}, "keep 0.3"),
        ({"options": {"keep": 0.3, "distribution": "kaiming_normal"}}, None),
        # 0.5 and the signed constants are the defaults.
        ({}, "keep 0.5"),
        ({"options": {"distribution": "kaiming_normal", "keep": 0.5}}, "kaiming_normal"),
        ({"options": {"keep": 0.7}}, None),
        # An option that the installed version does not have: as it is written.
        ({"options": {"keep": 0.3, "no_such_option": 1}}, None),
    ],
)
def test_a_record_is_in_its_own_arm_or_in_none(
    fields: dict[str, Any], arm: str | None, tmp_path: Path
) -> None:
    known = {
        name: fields[name] for name in ("model", "freeze", "init", "options") if name in fields
    }
    one = record(**{"model": SUPERMASK, **known})
    written = {name: value for name, value in fields.items() if name not in known}
    spec = {**one.spec, **written}
    if "freeze" not in fields:
        del spec["freeze"]
    one = one.model_copy(update={"spec": spec})
    write_atomically(tmp_path / "one.json", to_json(one))
    found = suite_items(parse(SuiteSpec, SUITE, "suite tiny"), tmp_path)
    assert len(found) == (0 if arm is None else 1)
    for item in found:
        assert arm is not None
        assert arm in str(item.columns["arm"])
