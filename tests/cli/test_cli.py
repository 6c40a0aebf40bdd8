"""What a person meets first: help, lists, summaries."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Rbench


def test_help_names_every_command(rbench: Rbench) -> None:
    done = rbench("--help")
    assert done.returncode == 0
    for name in ("run", "sweep", "list", "show", "plugins", "leaderboard", "verify", "doctor"):
        assert f"\n  {name} " in done.stdout


def test_every_field_of_a_recipe_is_a_flag(rbench: Rbench) -> None:
    from rbench.plugin.recipe import Training

    text = rbench("run", "--help").stdout
    for name in Training.model_fields:
        assert f"--{name.replace('_', '-')}" in text, name


def test_list_as_json_has_every_kind(rbench: Rbench) -> None:
    listed = json.loads(rbench("list", "--json").stdout)
    assert listed.keys() >= {
        *("architecture", "initializer", "dataset", "task", "metric", "recipe", "suite")
    }
    assert listed["recipe"].keys() >= {"digits", "lowres", "a2"}


def test_list_takes_a_pattern(rbench: Rbench) -> None:
    listed = json.loads(rbench("list", "models", "resnet5*", "--json").stdout)
    assert "resnet50" in listed["architecture"]
    assert all(name.startswith("resnet5") for name in listed["architecture"])


def test_show_prints_options_with_defaults(rbench: Rbench) -> None:
    shown = json.loads(rbench("show", "metrics", "fgsm", "--json").stdout)
    assert {option["name"] for option in shown["options"]} == {"epsilons", "engine", "images"}
    assert "epsilons" in rbench("show", "metric", "fgsm").stdout


def test_plugins_names_the_built_in_one(rbench: Rbench) -> None:
    (builtin,) = (
        plugin
        for plugin in json.loads(rbench("plugins", "--json").stdout)
        if plugin["name"] == "builtin"
    )
    assert builtin["status"] == "loaded"
    assert "metric fgsm" in builtin["components"]


@pytest.mark.slow
def test_doctor_tells_devices_and_versions(rbench: Rbench) -> None:
    facts = json.loads(rbench("doctor", "--json").stdout)
    assert facts["device"] in ("cpu", "cuda")
    assert facts["packages"]["timm"]
    assert "torch" in rbench("doctor").stdout


def test_the_summary_says_what_learned_what_was_frozen_and_what_to_do_next(rbench: Rbench) -> None:
    done = rbench(
        *("run", "--model", "resnet10t", "--freeze-spatial", "--limit", "128"),
        *("--epochs", "1", "--metrics", "top1", "--seeds", "2"),
    )
    assert done.returncode == 0, done.stderr
    for word in ("learnable parameters", "frozen parameters", "top1", "2 seeds, std", "seconds"):
        assert word in done.stdout
    assert done.stdout.count("record: results/resnet10t-spatial-digits-epochs_1-limit_128-s") == 2
    assert "next: rbench leaderboard results" in done.stdout
    assert "seed 0 train" in done.stderr
