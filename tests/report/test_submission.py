"""What enters the leaderboards, and each way in which a record may not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from rbench.records.record import Artifact, MetricValue, Record, to_json
from rbench.report.leaderboard.submission import private_words, submit
from rbench.spec.protocol import digest, protocol
from tests.conftest import Rbench
from tests.helpers.synthetic_records import ENVIRONMENT, record

ROOT = Path(__file__).parents[2]
HASH = "0123456789abcdef" * 4
Change = Callable[[Record], Any]


def sound(seed: int = 0, **fields: Any) -> Record:
    """A record as a run leaves it."""
    made = record("resnet18", "spatial", seed, **fields)
    made.protocol = protocol(made.resolved)
    made.digest = digest(made.resolved)
    made.environment = {**ENVIRONMENT, "packages": {"rbench": "0.1.0", "torch": "2.9.0"}}
    made.plugins = {"builtin": "rbench 0.1.0"}
    made.network_sha256 = made.result_sha256 = HASH
    assert made.freeze is not None
    made.freeze.frozen.sha256 = made.freeze.sha256_after = HASH
    return made


def lay(folder: Path, made: Record, name: str = "one") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(to_json(made))
    return path


def test_records_and_pictures_enter_once(rbench: Rbench, tmp_path: Path) -> None:
    made = sound(artifacts=[Artifact(file="one/filters.png", caption="filters")])
    lay(tmp_path / "results", made)
    lay(tmp_path / "results", sound(1), "two")
    (tmp_path / "results" / "one").mkdir()
    Image.new("L", (3, 3)).save(tmp_path / "results" / "one" / "filters.png")
    done = rbench("submit", "results")
    assert done.returncode == 0, done.stderr
    assert "2 new records in leaderboards/records, 0 were there" in done.stdout
    into = tmp_path / "leaderboards" / "records"
    files = sorted(str(path.relative_to(into)) for path in into.rglob("*") if path.is_file())
    assert files == ["one.json", "one/filters.png", "two.json"]
    assert (into / "one.json").read_text() == to_json(made)
    assert "0 new records in leaderboards/records, 2 were" in rbench("submit", "results").stdout
    assert rbench("submit", "--check", "leaderboards/records").stdout == (
        "2 records, all in order\n"
    )
    assert rbench("leaderboard", "leaderboards/records", "--output", "leaderboards").returncode == 0


def test_what_to_type_next_covers_all_records(rbench: Rbench, tmp_path: Path) -> None:
    lay(tmp_path / "results", sound())
    done = rbench("submit", "results", "--to", "leaderboards/records/mine")
    assert "next: rbench leaderboard leaderboards/records --output leaderboards\n" in done.stdout


def test_another_record_of_the_same_run_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    into = tmp_path / "records"
    submit([lay(tmp_path, sound())], into)
    fresh, other = lay(tmp_path, sound(1), "a"), sound()
    other.metrics[0].value = 96.0
    with pytest.raises(ValueError, match="is another record of the same run"):
        submit([fresh, lay(tmp_path, other, "b")], into)
    with pytest.raises(ValueError, match="is there already and is another file"):
        submit([fresh, lay(tmp_path, sound(2))], into)
    assert [path.name for path in into.iterdir()] == ["one.json"]


def _set(field: str, value: Any) -> Change:
    return lambda made: setattr(made, field, value)


def _metric(**fields: Any) -> Change:
    given = {"name": "top1", "value": 50.0, "unit": "%", "n": 9, **fields}
    return _set("metrics", [MetricValue(**given)])


def _moved(made: Record) -> None:
    assert made.freeze is not None
    made.freeze.sha256_after = HASH[::-1]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_set("resolved", {"seed": 0}), "its digest is not that of its content"),
        (_set("seed", 5), "its seed is not the one of its spec"),
        (_set("protocol", "0" * 12), "its protocol is not that of its content"),
        (lambda made: made.resolved.update(limit=5), "comparable does not fit its limit"),
        (_set("environment", {**ENVIRONMENT}), "does not say which version of rbench ran"),
        (_set("plugins", {}), "it names no plugin"),
        (_set("git_commit", "main"), "git_commit is not a commit"),
        (_set("started", "yesterday"), "started is not a date"),
        (_set("started", "2999-01-01T00:00:00Z"), "lies in the future"),
        (_set("freeze", None), "it does not say what was frozen"),
        (_moved, "its frozen tensors moved"),
        (_set("result_sha256", None), "no fingerprint of the network before and after"),
        (_metric(value=100.5), "top1 is 100.5 %"),
        (_metric(value=-0.1), "top1 is -0.1 %"),
        (_metric(value=None), "it measured nothing"),
        (_metric(n=0), "top1 is of n = 0"),
        (_metric(uncertainty=-1.0), "top1 has the uncertainty -1.0"),
        (_set("metrics", [MetricValue(name="a", value=1.0)] * 2), "two of its metrics have one"),
        (_set("seconds", 0.0), "its seconds are not above 0"),
        (_set("command", "rbench run --data-dir /data/cifar"), "command holds a path"),
        (_set("command", "rbench run --output=~/out"), "command holds a path"),
        (_set("notes", ["read C:\\Users\\x"]), "notes holds a path"),
        (_set("details", {"/srv/x": 1}), "details holds a path"),
        (_set("notes", ["by a.person@example.org"]), "notes holds a mail address"),
        (_set("notes", ["ran on Heron-7 today"]), "notes names this machine or its user"),
        (_set("artifacts", [Artifact(file="../x.png")]), r"the picture ../x.png is not in the"),
        (_set("artifacts", [Artifact(file="one/x.png")]), "the picture one/x.png is missing"),
    ],
)
def test_what_may_not_enter(
    change: Change, complaint: str, rbench: Rbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.node", lambda: "heron-7.lab")
    made = sound()
    change(made)
    done = rbench("submit", str(lay(tmp_path / "mine", made)))
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "leaderboards").exists()


def test_runs_that_are_not_done_are_skipped_and_counted(rbench: Rbench, tmp_path: Path) -> None:
    lay(tmp_path / "results", sound())
    for seed, status in enumerate(("failed", "interrupted"), start=1):
        made = sound(seed)
        made.status = status  # type: ignore[assignment]
        made.notes = ["in /srv/x/y.py"]
        lay(tmp_path / "results", made, status)
    done = rbench("submit", "results")
    assert done.returncode == 0, done.stderr
    assert "1 new records" in done.stdout
    assert "2 records of failed or interrupted runs were skipped\n" in done.stdout
    assert [p.name for p in (tmp_path / "leaderboards/records").iterdir()] == ["one.json"]
    refused = rbench("submit", "--check", "results")
    assert refused.returncode == 2
    assert "its run was interrupted: run it again" in refused.stderr


def test_all_complaints_come_at_once(rbench: Rbench, tmp_path: Path) -> None:
    first, second = sound(seconds=0.0), sound(1)
    first.resolved["loose"] = {"python:draw": "0" * 64}
    second.git_commit, second.plugins = "main", {}
    lay(tmp_path / "results", first)
    lay(tmp_path / "results", second, "two")
    lay(tmp_path / "results", sound(2), "three")
    for option in ([], ["--check"]):
        done = rbench("submit", "results", *option)
        assert done.returncode == 2
        lines = done.stderr.splitlines()
        assert len(lines) == 2
        assert "python:draw is of a Python session, not of a package" in lines[0]
        assert "its seconds are not above 0" in lines[0]
        assert "git_commit is not a commit" in lines[1]
        assert "it names no plugin" in lines[1]
    assert not (tmp_path / "leaderboards").exists()


@pytest.mark.parametrize("change", [{"limit": 100}, {"training": {"epochs": 1, "lr": 0.1}}])
def test_reduced_runs_are_asked_about(
    change: dict[str, Any], rbench: Rbench, tmp_path: Path
) -> None:
    made = sound(comparable="limit" not in change)
    made.resolved.update(change)
    made.digest, made.protocol = digest(made.resolved), protocol(made.resolved)
    lay(tmp_path / "results", made)
    lay(tmp_path / "results", sound(1), "two")
    done = rbench("submit", "results")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "records of one epoch or of a limited number of images: 1; " in done.stderr
    assert not (tmp_path / "leaderboards").exists()
    done = rbench("submit", "results", "--allow-reduced")
    assert "2 new records" in done.stdout, done.stderr


def test_what_is_no_path_is_let_through(tmp_path: Path) -> None:
    made = sound(command="rbench run --lr 1/2 --model-kwargs a=x/y # see https://example.org/a")
    made.notes = ["convs/s, 3 / 4, and/or", "32x32 px · a", "N/A"]
    assert len(submit([lay(tmp_path, made)], tmp_path / "to").new) == 1


def test_broken_files_and_numbers(rbench: Rbench, tmp_path: Path) -> None:
    path = lay(tmp_path, sound())
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "extra": 1}))
    assert "extra: Extra inputs are not permitted" in rbench("submit", "one.json").stderr
    path.write_text(json.dumps(content).replace('"seconds": 90.0', '"seconds": 1e999'))
    assert "seconds is not finite" in rbench("submit", "one.json").stderr


def test_a_picture_must_be_one(tmp_path: Path) -> None:
    path = lay(tmp_path, sound(artifacts=[Artifact(file="one/x.png")]))
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "x.png").write_text("<svg onload=alert(1)>")
    with pytest.raises(ValueError, match=r"one/x\.png is not a PNG or JPEG picture"):
        submit([path], tmp_path / "to")


def test_names_that_are_anybodys_are_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.node", lambda: "localhost")
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    monkeypatch.setattr("pathlib.Path.home", lambda: Path("/home/heron"))
    assert private_words() == {"heron"}


@pytest.mark.slow
def test_the_leaderboards_of_the_repository_are_true(rbench: Rbench) -> None:
    records = ROOT / "leaderboards" / "records"
    if not records.is_dir() or not any(records.rglob("*.json")):
        pytest.skip("the repository holds no record yet")
    done = rbench("submit", "--check", str(records))
    assert done.returncode == 0, done.stderr
    done = rbench("leaderboard", str(records), "--output", str(records.parent), "--check")
    assert done.returncode == 0, done.stderr


def test_a_folder_without_records(rbench: Rbench, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    assert rbench("submit", "results").stderr == "rbench: there is no record in results\n"
