"""rbench list and rbench show: short overviews, readable declarations, records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rbench.spec import registry
from rbench.spec.suite_spec import read_suite
from tests.conftest import Rbench


def test_the_overview_counts_every_kind_and_is_short(rbench: Rbench) -> None:
    text = rbench("list").stdout
    lines = text.splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) <= 110
    everything = json.loads(rbench("list", "--json").stdout)
    for kind, entries in everything.items():
        word = f"{kind}s".replace(" ", "-").replace("architectures", "models")
        (line,) = (line.split() for line in lines if line.startswith(f"{word} "))
        assert line[1] == f"{len(entries):,}"
    papers = [line for line in lines if line.startswith("  ")]
    counts = [next(int(w) for w in reversed(line.split()) if w.isdecimal()) for line in papers]
    assert sum(counts) == len(registry.names("suites"))
    assert "rbench list KIND" in text


@pytest.mark.parametrize("word", ["freezing", "rules", "freezing-rules", "rule"])
def test_freezing_rules_have_several_names(rbench: Rbench, word: str) -> None:
    done = rbench("list", word)
    assert done.returncode == 0
    assert "\n  fraction " in done.stdout
    assert rbench("show", word, "fraction").returncode == 0


@pytest.mark.parametrize("name", registry.names("suites"))
def test_every_suite_is_shown_as_text(rbench: Rbench, name: str) -> None:
    done = rbench("show", "suite", name)
    assert done.returncode == 0, done.stderr
    suite = read_suite(name)
    assert "\\n" not in done.stdout
    assert '"' not in done.stdout.replace(suite.discussion, "").split("runs: ")[-1].split("\n")[0]
    assert suite.summary.split()[0] in done.stdout
    assert f"{len(suite.runs()):,} run" in done.stdout


def test_a_recipe_is_shown_field_by_field(rbench: Rbench) -> None:
    shown = dict(
        line.split(maxsplit=1)
        for line in rbench("show", "recipe", "lowres").stdout.splitlines()
        if line.startswith("  ")
    )
    recipe = registry.read("recipes", "lowres")["training"]
    assert shown.keys() == recipe.keys()
    assert shown["epochs"] == "75"
    assert shown["amp"] == "no"
    assert json.loads(rbench("show", "recipe", "lowres", "--json").stdout)["training"] == recipe


def test_a_record_is_shown(rbench: Rbench, tmp_path: Path) -> None:
    run = ("run", "--model", "test_resnet", "--task-kwargs", "train=false", "--metrics", "top1")
    (record,) = json.loads(rbench(*run, "--freeze", "all", "--json").stdout)
    (path,) = (tmp_path / "results").glob("*.json")
    text = rbench("show", str(path)).stdout
    (top1,) = record["metrics"]
    assert f"{top1['value']:.4g}" in text
    assert record["digest"] in text
    assert "status: done" in text
    assert f"{record['freeze']['frozen']['count']:,}" in text
    assert json.loads(rbench("show", str(path), "--json").stdout) == record


def test_what_cannot_be_shown(rbench: Rbench, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    for words, expected in [
        (("missing.json",), "cannot read missing.json"),
        (("broken.json",), "broken.json is not a record"),
        ((".",), "is a folder"),
        (("metric",), "rbench list metrics prints the names"),
    ]:
        done = rbench("show", *words)
        assert (done.returncode, expected in done.stderr) == (2, True), done.stderr
