"""Records: strict JSON, broken and hostile files refused, nothing lost on a full disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rbench.errors import UserError
from rbench.files import write_atomically
from rbench.records.record import SCHEMA, MetricValue, Record, RecordError, parse, read, to_json
from rbench.report.leaderboard.rows import Value
from rbench.report.leaderboard.stats import within_run


@pytest.fixture
def record() -> Record:
    return Record(
        digest="d" * 64,
        spec={"model": "resnet18"},
        seed=3,
        started="2026-01-01T00:00:00+00:00",
        metrics=[
            MetricValue(name="top1", value=93.125, unit="%", higher_is_better=True, n=360),
            MetricValue(name="loss", value=None),
        ],
        history={"train_loss": [1.5, None]},
        notes=["ß ∞ \x00 </script> =cmd|' /C calc'!A0"],
    )


def changed(record: Record, **fields: Any) -> str:
    return json.dumps({**json.loads(to_json(record)), **fields})


def test_round_trip(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "new" / "record.json"
    write_atomically(path, to_json(record))
    assert read(path) == record
    assert record.metric("top1").value == 93.125
    with pytest.raises(KeyError):
        record.metric("top5")
    assert [file.name for file in path.parent.iterdir()] == ["record.json"]


def test_not_a_number_is_never_written(record: Record) -> None:
    record.metrics[0].value = float("nan")
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(record)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "x is not a record: broken JSON"),
        ('{"digest": ', "x is not a record: broken JSON"),
        ("[" * 100_000, "x is not a record: broken JSON"),
        ('{"schema_version": 1, "seconds": NaN}', "broken JSON (NaN is not JSON)"),
        ('{"schema_version": 1, "seconds": -Infinity}', "broken JSON (-Infinity is not JSON)"),
        ("[]", "x is not a record: it has no schema_version"),
        ("3", "x is not a record: it has no schema_version"),
        ("{}", "x is not a record: it has no schema_version"),
        ('{"schema_version": 99}', f"x has record schema 99; this rbench reads up to {SCHEMA}"),
        ('{"schema_version": "one"}', "x has record schema one; this rbench"),
        ('{"schema_version": 1}', "x is not a record: digest: Field required"),
    ],
)
def test_broken_texts_are_one_clear_line(text: str, complaint: str) -> None:
    with pytest.raises(RecordError) as error:
        parse(text, "x")
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"seed": "many"}, "seed: Input should be a valid integer"),
        ({"status": "splendid"}, "status: Input should be 'done', 'failed' or 'interrupted'"),
        ({"surprise\n\x1b[2J": 1}, "surprise??[2J: Extra inputs are not permitted"),
        ({"metrics": [{"name": "top1"}]}, "metrics.0.value: Field required"),
        ({"metrics": {"top1": 3}}, "metrics: Input should be a valid list"),
        ({"spec": []}, "spec: Input should be a valid dictionary"),
    ],
)
def test_wrong_fields_are_named(record: Record, fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RecordError) as error:
        parse(changed(record, **fields), "x")
    assert complaint in str(error.value)
    assert str(error.value).isprintable()


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"cannot read .*gone.json: No such file"):
        read(tmp_path / "gone.json")
    with pytest.raises(RecordError, match="Is a directory"):
        read(tmp_path)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordError, match=r"binary.json is not a record: not UTF-8 text"):
        read(tmp_path / "binary.json")


def test_a_file_in_the_way_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(
        UserError, match=r"cannot write .*record.json: (Not a directory|File exists)"
    ):
        write_atomically(tmp_path / "results" / "record.json", "{}")
    assert (tmp_path / "results").read_text() == "a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        write_atomically(tmp_path / "record.json", "{}")


FULL = """
import resource, signal, sys
from pathlib import Path
from rbench.errors import UserError
from rbench.files import write_atomically

# The kernel refuses every byte past the limit, as it does on a full disk.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically(Path(sys.argv[1]), "x" * 100_000)
except UserError as error:
    print(error)
"""


def test_a_disk_that_fills_up_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, "what was there")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"cannot write {path}: File too large\n"
    assert path.read_text() == "what was there"
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]


def test_an_interruption_between_write_and_rename_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, "old")

    def interrupted(source: object, target: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]


def test_what_is_written_can_be_read_by_others(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, "{}")
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("kind", "over"),
    [
        ("standard deviation over networks", "networks"),
        ("binomial standard error over images", "images"),
        ("standard error over pairs", "pairs"),
        ("standard deviation", None),
        ("over the moon", None),
        (None, None),
    ],
)
def test_what_an_uncertainty_is_over_is_a_field(kind: str | None, over: str | None) -> None:
    value = MetricValue(name="m", value=1.0, uncertainty_kind=kind)
    assert value.over == over
    written = MetricValue.model_validate_json(value.model_dump_json())
    assert written == value
    said = MetricValue(name="m", value=1.0, uncertainty_kind="spread", over="networks")
    assert said.over == "networks"
    # Leaderboards read records from before the field, too.
    old = msgspec.json.decode(
        json.dumps(
            {"name": "m", "value": 1.0, "n": 2, "uncertainty": 0.5, "uncertainty_kind": kind}
        ).encode(),
        type=Value,
    )
    assert (within_run(old) is not None) == (over == "networks")
