"""rbench run: limits, interruptions, weights, output that others parse."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Rbench
from tests.helpers import fake_entry_points

TINY = ("run", "--model", "test_resnet", "--task-kwargs", "train=false", "--metrics", "top1")


def test_limit_test_takes_the_same_images_evenly_by_class(rbench: Rbench) -> None:
    (whole,) = json.loads(rbench(*TINY, "--json").stdout)
    (some,) = json.loads(rbench(*TINY, "--limit-test", "50", "--json").stdout)
    assert some["metrics"][0]["n"] == 50
    assert some["data"]["test_images"] == whole["data"]["test_images"] == 360
    assert "50 test images" in some["protocol_name"]
    assert not some["comparable"]
    assert some["resolved"]["limit_test"] == 50
    assert some["protocol"] != whole["protocol"]
    # Runs without it keep the identity that they had before the option existed.
    assert "limit_test" not in whole["resolved"]


def test_save_weights_trains_again_where_they_are_missing(rbench: Rbench, tmp_path: Path) -> None:
    (first,) = json.loads(rbench(*TINY, "--json").stdout)
    done = rbench(*TINY, "--save-weights")
    assert "the record is there without its weights: running again" in done.stderr
    (weights,) = (tmp_path / "results").rglob("weights.safetensors")
    umask = os.umask(0)
    os.umask(umask)
    assert weights.stat().st_mode & 0o777 == 0o666 & ~umask
    again = rbench(*TINY, "--save-weights")
    assert "already in" in again.stderr
    assert first["status"] == "done"


def test_export_without_weights_says_what_to_type(rbench: Rbench, tmp_path: Path) -> None:
    rbench(*TINY)
    (record,) = (tmp_path / "results").glob("*.json")
    done = rbench("export", str(record))
    assert done.returncode == 2
    assert "this makes it: rbench run --model test_resnet" in done.stderr
    assert done.stderr.rstrip().endswith("--save-weights")


def test_a_byte_order_mark_in_a_file(rbench: Rbench, tmp_path: Path) -> None:
    text = 'model = "test_resnet"\ntask_kwargs = { train = false }\nmetrics = ["top1"]\n'
    (tmp_path / "run.toml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert rbench("run", "-c", "run.toml").returncode == 0


def test_a_plugin_that_prints_leaves_json_whole(
    rbench: Rbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
import rbench
print("hello from the import")
def measure(outcome, context, options):
    print("hello from the metric")
    yield rbench.MetricValue(name="loud", value=1.0)
@rbench.hookimpl
def rbench_register_metrics():
    return [rbench.Metric(name="loud", summary="Prints.", measure=measure)]
"""
    fake_entry_points.install(tmp_path / "p", "loud", {"loud": "rbench_loud"}, rbench_loud=code)
    monkeypatch.syspath_prepend(str(tmp_path / "p"))
    monkeypatch.setenv("RBENCH_PLUGINS", "builtin,loud")
    sys.modules.pop("rbench_loud", None)
    assert "loud" in json.loads(rbench("list", "metrics", "--json").stdout)["metric"]
    done = rbench(*TINY, "loud", "--json")
    assert json.loads(done.stdout)[0]["metrics"][1]["name"] == "loud"
    assert "hello from the metric" in done.stderr


def interrupted(folder: Path, *more: str) -> subprocess.Popen[str]:
    """``rbench run`` of many epochs, sent Ctrl-C during its training."""
    words = (
        *("run", "--model", "test_resnet", "--epochs", "200", "-b", "32", "--limit", "64"),
        *("--metrics", "top1", "--output", str(folder), *more),
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "rbench", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("train "):
            break
    process.send_signal(signal.SIGINT)
    return process


@pytest.mark.slow
def test_ctrl_c_saves_and_the_same_command_continues(tmp_path: Path) -> None:
    process = interrupted(tmp_path)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "saving a checkpoint; Ctrl-C again ends at once" in said
    assert "the same command continues from there" in said
    assert "Traceback" not in said
    assert list(tmp_path.rglob("*.safetensors"))
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.slow
def test_ctrl_c_without_checkpoints_ends_at_once(tmp_path: Path) -> None:
    process = interrupted(tmp_path, "--checkpoint-every", "0")
    out, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted" in out
    assert "Traceback" not in said
