"""Records read as rows: what they have in common is read once, and by several processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rbench.errors import UserError
from rbench.records.record import to_json
from rbench.report.leaderboard import from_records, make_tables
from rbench.report.leaderboard.reader import Reader, canonical
from tests.helpers.synthetic_records import many, record


def parse(content: dict[str, Any], **how: Any) -> Any:
    return Reader().parse(json.dumps(content, **how), "here.json")


def test_a_cell_is_what_its_records_share_whoever_wrote_them() -> None:
    reader = Reader()
    first, second = (
        json.loads(to_json(record(seed=seed, options={"seed": 3, "depth": 20}))) for seed in (3, 4)
    )
    rows = [reader.parse(json.dumps(content, indent=1), "a.json") for content in (first, second)]
    assert rows[0].configuration == rows[1].configuration
    assert rows[0].identity is rows[1].identity
    # Other writers: another order of members, no spaces.
    shuffled = {**first, "resolved": dict(sorted(first["resolved"].items()))}
    assert next(iter(reversed(shuffled["resolved"]))) != "seed"
    for how in ({"separators": (",", ":")}, {"indent": 3}):
        row = parse(shuffled, **how)
        assert row.configuration == rows[0].configuration
        assert row.identity == rows[0].identity
        assert "seed" not in row.identity
    assert rows[0].identity["model"]["options"] == {"seed": 3, "depth": 20}


@pytest.mark.parametrize(
    "options",
    [{"seed": 4}, {"a": {"seed": 3}}, {"a": '", "seed": 3}'}, {"a": "}"}, {"depth": 20.0}],
    ids=str,
)
def test_only_the_runs_own_seed_is_left_out(options: dict[str, Any]) -> None:
    """The last member of the identity here is a table that ends like the seed, or holds it."""
    reader = Reader()
    configurations = set()
    for own in (options, {"seed": 3}, {"depth": 20}):
        content = json.loads(to_json(record(seed=3, options=own)))
        identity = content["resolved"]
        identity["last"] = identity.pop("model")
        for seedless in (False, True):
            if seedless:
                del identity["seed"]
            row = reader.parse(json.dumps(content), "here.json")
            assert row.identity["last"]["options"] == own
            left = {k: v for k, v in identity.items() if k not in ("seed", "metrics")}
            assert canonical(row.identity) == canonical(left)
            assert row.asked == identity["metrics"]
            configurations.add(row.configuration)
    assert len(configurations) == 3


def test_options_that_were_given_and_environments() -> None:
    content = json.loads(to_json(record(options={"depth": 20}, init="orthogonal")))
    content["spec"]["init_kwargs"] = {}
    row = parse(content)
    assert row.explicit_options == {"model_kwargs": {"depth": 20}}
    assert row.environment == content["environment"]
    content["resolved"] = {}
    assert parse(content).identity == {k: v for k, v in content["spec"].items() if k != "seed"}


SCRIPT = """
import sys
from pathlib import Path
from rbench.report.leaderboard import make_tables, read_rows, reader
build = sys.modules["rbench.report.leaderboard.build"]
reader.MANY = build.MANY = int(sys.argv[2])
made = build.build(make_tables(read_rows(Path(sys.argv[1]), skip_broken=len(sys.argv) > 4)))
build.write(Path(sys.argv[3]), made)
assert "torch" not in sys.modules
"""


@pytest.mark.slow
def test_several_processes_make_the_same_files(tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    for one in many(60, protocols=3):
        (records / f"{one.digest[:20]}.json").write_text(to_json(one))

    def make(count: int, to: str, *more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", SCRIPT, str(records), str(count), str(tmp_path / to)]
        return subprocess.run([*command, *more], capture_output=True, text=True)

    for count, to in ((0, "many"), (1000, "one")):
        done = make(count, to)
        assert done.returncode == 0, done.stderr
    names = sorted(str(p.relative_to(tmp_path / "one")) for p in (tmp_path / "one").rglob("*.*"))
    assert len(names) == 8
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()
    (records / "broken.json").write_text("{")
    refused = make(0, "many")
    assert "broken.json is not a record" in refused.stderr.splitlines()[-1]
    assert make(0, "many", "skip").returncode == 0


@pytest.mark.parametrize(
    ("content", "apart"),
    [
        ("names+sizes:25c5f2bcde1699f534adae28bb8a7447", False),  # known contents: cifar10-jpeg
        ("names+sizes:0", True),
        ("0123456789abcdef", True),
        ("sha256:0", False),
        (None, False),
    ],
)
def test_folders_known_by_names_and_sizes_are_told_apart_by_their_revision(
    content: str | None, apart: bool
) -> None:
    rows = []
    for seed, revision in enumerate(("sha256:1", "sha256:2")):
        one = json.loads(to_json(record(seed=seed)))
        one["resolved"]["dataset"]["content"] = content
        one["data"]["revision"] = revision
        rows.append(parse(one))
    assert (rows[0].configuration != rows[1].configuration) == apart
    assert (rows[0].protocol != rows[1].protocol) == apart
    assert len(rows[0].configuration) == len(rows[1].configuration) == 16


def test_an_edited_copy_of_a_record_is_refused_and_a_repetition_is_not() -> None:
    first = record("resnet18", values={"top1": 50.0})
    edited, again = (record("resnet18", values={"top1": 99.9}) for _ in range(2))
    again.started = "2031-01-01T00:00:00+00:00"
    assert first.started == edited.started
    with pytest.raises(UserError, match="are records of the same run with different numbers"):
        make_tables(from_records([first, edited]))
    (table,) = make_tables(from_records([first, again]))
    assert table.entries[0].summaries["top1"].mean == 50.0
    (same,) = make_tables(from_records([first, record("resnet18", values={"top1": 50.0})]))
    assert same.entries[0].summaries["top1"].mean == 50.0
