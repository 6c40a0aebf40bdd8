"""A metric that fails: it is named, the others' numbers stay, and nothing is trained again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Rbench
from tests.helpers import fake_entry_points

PLUGIN = """
from rbench import ClassificationOutcome, Metric, MetricValue, hookimpl

def helper(outcome):
    return {error}

def measure(outcome, context, options):
    yield MetricValue(name="before", value=1.0)
    helper(outcome)
    yield MetricValue(name="after", value=2.0)

@hookimpl
def rbench_register_metrics():
    return [Metric(name="fragile", summary="Fails.", measure=measure,
                   reads=ClassificationOutcome)]
"""
WORDS = (
    *("run", "--model", "test_resnet", "--limit", "64", "-b", "32", "--epochs", "2"),
    *("--metrics", "top1", "fragile", "loss", "--json"),
)


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    import sys

    folder = tmp_path / "plugin"
    code = PLUGIN.format(error=error)
    if folder.exists():
        (folder / "rbench_fragile.py").write_text(code)
    else:
        points = {"fragile": "rbench_fragile"}
        fake_entry_points.install(folder, "fragile", points, rbench_fragile=code)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("RBENCH_PLUGINS", "builtin,fragile")
    sys.modules.pop("rbench_fragile", None)


@pytest.mark.parametrize(
    "error",
    [
        "1 / 0",
        pytest.param(
            "(_ for _ in ()).throw(__import__('rbench').UserError('late'))", marks=pytest.mark.slow
        ),
    ],
)
def test_it_is_named_and_the_training_is_kept(
    rbench: Rbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    install(tmp_path, monkeypatch, error)
    done = rbench(*WORDS)
    assert done.returncode == 1
    (failed,) = json.loads(done.stdout)
    assert failed["status"] == "failed"
    assert failed["error"]["component"] == "metric fragile"
    assert failed["error"]["place"] == "rbench_fragile.py:5"
    assert [m["name"] for m in failed["metrics"]] == ["top1", "before", "loss"]
    # Repaired: the same command measures the same network without a step of training.
    install(tmp_path, monkeypatch, "0")
    (whole,) = json.loads(rbench(*WORDS).stdout)
    assert whole["status"] == "done", whole["error"]
    assert [m["name"] for m in whole["metrics"]] == ["top1", "before", "after", "loss"]
    assert whole["result_sha256"] == failed["result_sha256"]
    assert whole["history"] == failed["history"]
    assert whole["metrics"][0] == failed["metrics"][0]
    assert any("resumed from a checkpoint after step 4 of 4" in n for n in whole["notes"])
    assert not list((tmp_path / "results").glob(".trained/*"))


def test_a_kept_training_without_the_curves_that_are_asked_for_is_repeated(
    rbench: Rbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "1 / 0")
    (failed,) = json.loads(rbench(*WORDS).stdout)
    assert failed["status"] == "failed"
    install(tmp_path, monkeypatch, "0")
    (whole,) = json.loads(rbench(*WORDS, "--eval-every", "1").stdout)
    assert whole["status"] == "done", whole["error"]
    assert len(whole["history"]["top1@test"]) == 2
    assert whole["impossible"] == []
    assert "the training that was kept has no curves: training again" in whole["notes"]
    assert whole["result_sha256"] == failed["result_sha256"]
    assert not list((tmp_path / "results").glob(".trained/*"))


@pytest.mark.slow
def test_the_summary_says_component_and_line(
    rbench: Rbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "1 / 0")
    done = rbench(*WORDS[:-1])
    assert "failed: metric fragile (rbench_fragile.py:5): ZeroDivisionError" in done.stdout
    assert "the same command measures them again without training" in done.stderr
