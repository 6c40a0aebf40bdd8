"""The one grammar of conditions, on the command line and in declarations."""

from __future__ import annotations

from typing import Any

import pytest

from rbench.errors import UserError
from rbench.spec.columns import columns
from rbench.spec.conditions import Condition, holds, matches, parse_conditions


@pytest.mark.parametrize(
    ("value", "wanted", "expected"),
    [
        (8, ">=8", True),
        (8, "<8", False),
        (0.1, "0.1", True),
        (0.1, 0.1, True),
        (1, True, False),
        (True, True, True),
        (True, "true", True),
        (False, "true", False),
        ("resnet18", "resnet*", True),
        ("resnet18", "resnet1[89]", True),
        ("resnet18", "!=resnet*", False),
        (3, [1, 3], True),
        (3, ["<2", ">4"], False),
        (3, ["!=1", "!=2"], True),
        (2, ["!=1", "!=2"], False),
        (None, ["!=1", "!=2"], True),
        (3, ["!=3", "3"], False),
        ("resnet18", ["resnet*", "!=resnet50"], True),
        ("resnet50", ["resnet*", "!=resnet50"], False),
        (None, 3, False),
        (None, "none", True),
        (None, [], True),
        ("", "none", True),
        ("none", "none", True),
        ("none", [], True),
        (None, "!=3", True),
        ("x", ">3", False),
        (["conv1", "layer1"], "layer1", True),
        (["conv1", "layer1"], "conv1+layer1", True),
        (["conv1", "layer1"], "layer2", False),
        ("1e-3", 0.001, False),
        (0.001, "1e-3", True),
    ],
)
def test_a_condition(value: Any, wanted: Condition, expected: bool) -> None:
    assert matches(value, wanted) is expected


def test_conditions_on_the_command_line_are_those_of_a_table() -> None:
    where = parse_conditions(["model=resnet*|vit*,seed<2", "training.lr!=0.1"])
    assert where == {"model": ["resnet*", "vit*"], "seed": "<2", "training.lr": "!=0.1"}
    assert parse_conditions(["model_kwargs.width=16"]) == {"model.width": "16"}
    assert parse_conditions(["seed!=1|2"]) == {"seed": ["!=1", "!=2"]}
    run = {"model": "vit_tiny", "seed": 1, "training.lr": 0.2}
    assert holds(where, run.get)
    assert not holds(where, {**run, "seed": 2}.get)


@pytest.mark.parametrize("text", ["model", "=x", "seed<two", "a=1,a=2"])
def test_what_is_not_a_condition_is_one_clear_line(text: str) -> None:
    with pytest.raises(UserError) as error:
        parse_conditions([text])
    assert "\n" not in str(error.value)


def test_columns_of_a_run() -> None:
    identity = {
        "model": {"name": "net", "revision": 2, "options": {"width": [8, 16], "inner": {"a": 1}}},
        "init": None,
        "freeze": ["conv1", "layer1"],
        "training": {"lr": 0.1},
        "limit": None,
    }
    found = columns(identity)
    assert found["model"] == "net"
    assert found["init"] == ""
    assert found["freeze"] == "conv1+layer1"
    assert found["model.width"] == "8/16"
    assert found["model.inner.a"] == 1
    assert found["training.lr"] == 0.1
    assert "model.revision" not in found
