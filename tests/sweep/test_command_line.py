"""Flags of sweep, plan and verify: help pages, renamed flags, dry runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbench.plugin.options import NO_FLAG
from rbench.records.record import read
from rbench.sweep.executors.base import Settings
from rbench.sweep.suite_settings import MachineSettings, SuiteSettings
from tests.conftest import Rbench

PANELS = {
    "sweep": ("Data and machine", "Runs", "Output", "Parallel runs", "Limits", "Cluster"),
    "plan": ("Data and machine", "Runs", "Output", "Cost"),
    "verify": ("Data and machine", "Records"),
}


@pytest.mark.parametrize("command", PANELS)
def test_help_has_panels_and_examples(rbench: Rbench, command: str) -> None:
    text = rbench(command, "--help").stdout
    for panel in PANELS[command]:
        assert f"\n{panel}:\n" in text
    assert text.count(f"  rbench {command} ") >= 2


def test_every_setting_is_a_flag(rbench: Rbench) -> None:
    pages = {name: rbench(name, "--help").stdout for name in PANELS}
    models = {"sweep": (SuiteSettings, Settings), "plan": (SuiteSettings,)}
    for name, found in {**models, "verify": (MachineSettings,)}.items():
        for model in found:
            for field, info in model.model_fields.items():
                if NO_FLAG not in info.metadata:
                    assert f"--{field.replace('_', '-')} " in pages[name], (name, field)


@pytest.mark.parametrize(
    ("command", "old", "new"),
    [
        ("sweep", "--limit", "--max-runs"),
        ("sweep", "--patience", "--lease-seconds"),
        ("verify", "--limit", "--max-records"),
    ],
)
def test_a_flag_of_another_name_answers_with_the_new_one(
    rbench: Rbench, command: str, old: str, new: str
) -> None:
    done = rbench(command, "p2_fig4", old, "3")
    assert done.returncode == 2
    expected = f"rbench: no such option: {old}; it is called {new} now (rbench {command} -h)\n"
    assert done.stderr == expected


def test_a_dry_run_prints_the_runs_and_writes_nothing(rbench: Rbench, tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(
        'summary = "Three."\nseeds = 3\n[base]\nmodel = "test_resnet"\ndataset = "digits"\n'
    )
    done = rbench("sweep", "suite.toml", "--dry-run", "--max-runs", "2", "--set", "epochs=1")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.rpartition("-")[0] for line in lines] == [
        "test_resnet-none-digits-epochs_1-s0",
        "test_resnet-none-digits-epochs_1-s1",
    ]
    assert "2 runs to execute" in done.stderr
    assert not (tmp_path / "results").exists()


def test_an_unknown_field_in_set_is_named(rbench: Rbench) -> None:
    done = rbench("plan", "p2_fig4", "--set", "epoch=3")
    assert done.returncode == 2
    assert "--set: unknown field 'epoch'; did you mean epochs" in done.stderr


@pytest.mark.slow
def test_a_sweep_keeps_the_weights_that_measure_needs(rbench: Rbench, tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(
        'summary = "One."\nseeds = 1\n[base]\nmodel = "test_resnet"\ndataset = "digits"\n'
        '"training.epochs" = 1\nlimit = 64\nlimit_test = 32\nmetrics = ["top1"]\n'
    )
    sweep = ["sweep", "suite.toml", "--slots", "1", "--save-weights"]
    assert rbench(*sweep).returncode == 0
    done = rbench("measure", "results", "--metrics", "top5")
    assert done.returncode == 0, done.stderr
    records = [read(path) for path in (tmp_path / "results").glob("*.json")]
    assert sorted(m.name for r in records for m in r.metrics) == ["top1", "top5"]
