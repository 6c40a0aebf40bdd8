"""rbench run --dry-run against the record of the run itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Rbench

RUN = ("run", "--model", "test_resnet", "--task-kwargs", "train=false", "--metrics", "top1")


@pytest.mark.parametrize(
    "words",
    [
        ("--freeze", "all,!head", "--init", "orthogonal"),
        ("--freeze", "fraction", "--freeze-kwargs", "fraction.p=0.5", "fraction.unit=weight"),
        ("--freeze", "norms", "--init", "uniform", "--init-scope", "all"),
    ],
)
def test_it_tells_what_the_run_does(rbench: Rbench, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = rbench(*RUN, *words, "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "results").exists()
    told = json.loads(done.stdout)
    text = rbench(*RUN, *words, "--dry-run").stdout
    (record,) = json.loads(rbench(*RUN, *words, "--json").stdout)
    assert told["network_sha256"] == record["network_sha256"]
    assert told["digest"] == record["digest"]
    tensors = [tensor for tensor in told["tensors"] if not tensor["buffer"]]
    freeze = record["freeze"]
    assert [t["name"] for t in tensors if t["learns"]] == freeze["learnable"]["names"]
    assert [t["name"] for t in tensors if t["frozen"]] == freeze["frozen"]["names"]
    assert sum(t["learns"] for t in tensors) == freeze["learnable"]["count"]
    assert sum(t["frozen"] for t in tensors) == freeze["frozen"]["count"]
    held = [t["name"] for t in told["tensors"] if t["buffer"] and t["frozen"]]
    assert held == freeze["buffers"]
    drawn = sum(t["numbers"] for t in tensors if t["drawn"])
    assert drawn == (record["draw"]["numbers"] if record["draw"] else 0)
    for tensor in told["tensors"]:
        assert f"\n{tensor['name']} " in text
    assert f"{freeze['learnable']['count']:,} of " in text
    # RUN trains nothing, and both say so.
    assert (freeze["trained"], freeze["learns"]) == (False, "")
    assert "\nlearns: nothing, untrained; not frozen: " in text


def test_it_refuses_what_the_run_refuses(rbench: Rbench) -> None:
    done = rbench("run", "--model", "test_resnet", "--freeze", "layer9", "--dry-run")
    assert done.returncode == 2
    assert "matches no parameter" in done.stderr


def test_stages_and_layers_that_draw_themselves(rbench: Rbench) -> None:
    words = ("--model", "test_resnet", "--freeze", "all,!head", "--unfreeze", "1:layer4")
    text = rbench("run", *words, "--epochs", "2", "--dry-run").stdout
    (line,) = (one for one in text.splitlines() if one.startswith("layer4.0.conv1.weight "))
    assert line.endswith("learns from epoch 1 on")
    words = ("--model", "resnet_lc_20_16x2", "--init", "orthogonal", "--freeze-spatial")
    text = rbench("run", *words, "--dry-run").stdout
    assert "layers that draw their filters themselves: conv1, layer1.0.conv1" in text


def test_a_build_that_fails_is_one_line(rbench: Rbench, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "from rbench import Architecture, hookimpl\n\n"
        "def build(context, options):\n    return [][1]\n\n"
        "@hookimpl\ndef rbench_register_architectures():\n"
        "    return [Architecture(name='broken', summary='Broken.', build=build)]\n"
    )
    done = rbench("run", "--model", "broken", "--plugin", "broken.py", "--dry-run")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "the run would fail: architecture broken (broken.py:4): IndexError: list index out of range"
    )
