"""Edited code is another configuration; installed packages are known by their version."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import Rbench
from tests.helpers import fake_entry_points

PLUGIN = """
from rbench import Initializer, hookimpl

def draw(weight, generator, options):
    weight.normal_(0, {std}, generator=generator)

@hookimpl
def rbench_register_initializers():
    return [Initializer(name="mine", summary="Normal.", draw=draw)]
"""
WORDS = (
    *("run", "--model", "test_resnet", "--init", "mine", "--task-kwargs", "train=false"),
    *("--metrics", "loss", "--json"),
)


@pytest.fixture(params=["loose", "site-packages"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / str(request.param)
    fake_entry_points.install(
        place, "mine", {"mine": "rbench_mine"}, rbench_mine=PLUGIN.format(std=0.1)
    )
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("RBENCH_PLUGINS", "builtin,mine")
    sys.modules.pop("rbench_mine", None)
    return place


def edit(folder: Path, std: float) -> None:
    (folder / "rbench_mine.py").write_text(PLUGIN.format(std=std))
    sys.modules.pop("rbench_mine")


def test_an_edit_is_another_run_or_is_told(rbench: Rbench, folder: Path, tmp_path: Path) -> None:
    (first,) = json.loads(rbench(*WORDS).stdout)
    assert len(first["sources"]["initializer mine"]) == 16
    edit(folder, 0.25)
    done = rbench(*WORDS[:-1])
    files = list((tmp_path / "results").glob("*.json"))
    if folder.name == "loose":
        # Both numbers are there, and they are not the same run.
        assert len(files) == 2
        digests = {json.loads(f.read_text())["resolved"]["init"]["source"] for f in files}
        assert len(digests) == 2
        edit(folder, 0.1)
        (again,) = json.loads(rbench(*WORDS).stdout)
        assert again["started"] == first["started"], "the first version's record answers again"
    else:
        assert len(files) == 1
        assert "source" not in first["resolved"]["init"]
        assert "the code of the initializer mine was another" in done.stderr


def test_built_ins_are_recorded_and_not_part_of_the_identity(rbench: Rbench) -> None:
    words = ("run", "--model", "test_resnet", "--task-kwargs", "train=false", "--json")
    (record,) = json.loads(rbench(*words).stdout)
    assert {"model test_resnet", "architecture test_resnet"} & record["sources"].keys()
    assert "metric top1" in record["sources"]
    assert "source" not in json.dumps(record["resolved"])


def test_all_files_of_an_edited_package_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    from rbench import Metric
    from rbench.plugin.source import source_digest

    package = tmp_path / "spread_out"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "metric.py").write_text("from spread_out import math\ndef measure(*a): ...\n")
    (package / "math.py").write_text("ONE = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def digest() -> str | None:
        for name in [n for n in sys.modules if n.split(".")[0] == "spread_out"]:
            sys.modules.pop(name)
        importlib.invalidate_caches()
        module = importlib.import_module("spread_out.metric")
        return source_digest(Metric(name="m", summary="M.", measure=module.measure))

    first = digest()
    assert first == digest()
    (package / "math.py").write_text("ONE = 2\n")
    assert digest() != first


RULE = """
from rbench import FreezingRule, Initializer, hookimpl

def select(network, generator, options):
    return [name for name, _ in network.named_parameters() if name.endswith("{end}")]

def draw(weight, generator, options):
    weight.fill_(0.5)

@hookimpl
def rbench_register_freezing_rules():
    return [FreezingRule(name="mine", summary="Some tensors.", select=select)]

@hookimpl
def rbench_register_initializers():
    return [Initializer(name="half", summary="One half.", draw=draw)]
"""


@pytest.mark.parametrize("flag", [("--freeze", "mine"), ("--freeze", "all,!mine")])
def test_an_edited_freezing_rule_is_another_run(
    rbench: Rbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: tuple[str, str]
) -> None:
    place = tmp_path / "loose"
    fake_entry_points.install(
        place, "mine", {"mine": "rbench_rule"}, rbench_rule=RULE.format(end="weight")
    )
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("RBENCH_PLUGINS", "builtin,mine")
    sys.modules.pop("rbench_rule", None)
    words = ("run", "--model", "test_resnet", "--task-kwargs", "train=false", "--metrics", "top1")
    words = (*words, *flag, "--init-norm", "half", "--json")
    (first,) = json.loads(rbench(*words).stdout)
    assert {"freezing rule mine", "initializer half"} <= first["sources"].keys()
    (place / "rbench_rule.py").write_text(RULE.format(end="bias"))
    sys.modules.pop("rbench_rule")
    (second,) = json.loads(rbench(*words).stdout)
    assert second["digest"] != first["digest"]
    assert second["freeze"]["frozen"]["names"] != first["freeze"]["frozen"]["names"]
    sources = [r["resolved"]["freeze_rules"]["mine"]["source"] for r in (first, second)]
    assert sources[0] != sources[1]


def rows(folder: Path) -> list[tuple[str, int]]:
    """The note and the number of runs of each row of the leaderboard."""
    from rbench.records.record import read
    from rbench.report.leaderboard import from_records, make_tables

    (table,) = make_tables(from_records([read(path) for path in folder.glob("*.json")]))
    return [(entry.note, len(entry.rows)) for entry in table.entries]


@pytest.mark.parametrize("folder", ["site-packages"], indirect=True)
def test_versions_of_edited_code_are_rows_of_their_own_and_upgrades_are_not(
    rbench: Rbench, folder: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    rbench(*WORDS)
    # An edit of the installed files, and a second seed: not averaged with the first.
    edit(folder, 0.25)
    rbench(*WORDS, "--seed", "1")
    marked = rows(results)
    assert [runs for _, runs in marked] == [1, 1]
    assert all("code of initializer mine=" in note for note, _ in marked)
    assert marked[0][0] != marked[1][0]
    # A release raises the version: what is there is found again, and further seeds join it.
    old, new = folder / "mine-1.0.dist-info", folder / "mine-1.1.dist-info"
    old.rename(new)
    metadata = (new / "METADATA").read_text().replace("Version: 1.0", "Version: 1.1")
    (new / "METADATA").write_text(metadata)
    edit(folder, 0.2501)
    assert "already in" in rbench(*WORDS[:-1], "--seed", "1").stderr
    rbench(*WORDS, "--seed", "2")
    assert sorted(runs for _, runs in rows(results)) == [1, 2]


def test_records_of_unreleased_code_are_not_accepted(
    rbench: Rbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "loose"
    fake_entry_points.install(
        place, "mine", {"mine": "rbench_mine"}, rbench_mine=PLUGIN.format(std=0.1)
    )
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("RBENCH_PLUGINS", "builtin,mine")
    sys.modules.pop("rbench_mine", None)
    rbench(*WORDS)
    done = rbench("submit", "results", "--to", "accepted")
    assert done.returncode == 2
    assert "the initializer mine ran from code that was edited in place" in done.stderr
