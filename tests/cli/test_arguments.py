from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbench.cli.arguments import expand_multi_value_flags, literal, shareable, table
from rbench.errors import UserError


def test_a_flag_of_several_words_is_repeated_before_each() -> None:
    assert expand_multi_value_flags(["run", "--model-kwargs", "a=1", "b=2", "--seed", "3"]) == [
        *("run", "--model-kwargs", "a=1", "--model-kwargs", "b=2", "--seed", "3")
    ]


def test_a_flag_of_several_words_without_any_is_left_for_typer_to_refuse() -> None:
    assert expand_multi_value_flags(["run", "--metrics", "--json"]) == [
        "run",
        "--metrics",
        "--json",
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("1e-3", 1e-3),
        ("[1, 2]", [1, 2]),
        ("true", True),
        ("False", False),
        ("none", None),
        ("relu", "relu"),
        ("'3'", "3"),
        ('{"low_res": true, "x": null}', {"low_res": True, "x": None}),
        ("{'low_res': True}", {"low_res": True}),
        ("[conv1", "[conv1"),
        ("__import__('os')", "__import__('os')"),
    ],
)
def test_literals(text: str, value: object) -> None:
    assert literal(text) == value


@given(st.text())
def test_no_text_breaks_or_runs(text: str) -> None:
    literal(text)


def test_dots_reach_into_tables() -> None:
    words = ["fgsm.epsilons=[0.1]", "fgsm.engine=foolbox", "top1=2"]
    assert table("--metric-kwargs", words) == {
        "fgsm": {"epsilons": [0.1], "engine": "foolbox"},
        "top1": 2,
    }


def test_a_word_without_a_name_is_refused() -> None:
    with pytest.raises(UserError, match="expected name=value"):
        table("--model-kwargs", ["=3"])


def test_a_kept_command_names_no_folders() -> None:
    words = ["run", "--data-dir", "/home/ann/secret/set", "--model-kwargs", "weights=~/w/v.st"]
    assert shareable(words) == ("rbench run --data-dir set --model-kwargs weights=v.st")
    assert shareable(["run", "--output", "results"]) == "rbench run --output results"


def test_numbers_with_commas_are_a_list() -> None:
    from rbench.cli.arguments import literal

    assert literal("16,32") == [16, 32]
    assert literal("[16, 32]") == [16, 32]
    assert literal("a,b") == "a,b"
