from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rbench as rb
from rbench.records.record import Record
from rbench.runner import tracking
from tests.runner.test_resume import Stop, go, killer, stop
from tests.runner.test_validation import TINY

FIELDS: dict[str, Any] = {
    **TINY,
    "metrics": ("top1", "loss", "filter_pictures"),
    "val": 50,
    "eval_every": 1,
}


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard itself reads, by tag."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    read.Reload()
    tags = read.Tags()
    found = {tag: [(e.step, e.value) for e in read.Scalars(tag)] for tag in tags["scalars"]}
    return found | {f"image:{tag}": [(0, 0.0)] for tag in tags["images"]}


def runs(folder: Path) -> list[Path]:
    return sorted((folder / ".trackers" / "tensorboard").iterdir())


def numbers(record: Record) -> Any:
    return record.digest, record.result_sha256, record.metrics, record.history["train_loss"]


@pytest.mark.slow
def test_tensorboard_holds_what_the_record_holds_and_changes_nothing(tmp_path: Path) -> None:
    (plain,) = rb.run(**FIELDS)
    (tracked,) = rb.run(**{**FIELDS, "output": tmp_path, "track": ("tensorboard",)})
    assert numbers(tracked) == numbers(plain)
    assert not [note for note in tracked.notes if "--track" in note]
    assert "track" not in tracked.spec
    (run,) = runs(tmp_path)
    assert run.name.endswith(tracked.digest[:10])
    found = scalars(run)
    losses = tracked.history["train_loss"]
    assert [step for step, _ in found["epoch/train_loss"]] == [4, 8, 12]
    assert [value for _, value in found["epoch/train_loss"]] == pytest.approx(losses)
    curve = tracked.history["top1@val"]
    assert [value for _, value in found["epoch/top1@val"]] == pytest.approx(curve)
    for value in tracked.metrics:
        assert found[f"metrics/{value.name}"] == [(12, pytest.approx(value.value))]
    pictures = [tag for tag in found if tag.startswith("image:pictures/")]
    assert len(pictures) == len(tracked.artifacts) > 0


def test_steps_are_logged_with_their_learning_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking.Tracking.__init__, "__defaults__", (0.0, 20.0))
    rb.run(**{**FIELDS, "output": tmp_path, "track": ("tensorboard",), "sched": "none"})
    (run,) = runs(tmp_path)
    found = scalars(run)
    assert [step for step, _ in found["train/loss"]] == list(range(1, 13))
    assert [value for _, value in found["lr"]] == pytest.approx([0.05] * 12)
    assert all(value > 0 for _, value in found["images_per_second"])


@pytest.mark.slow
def test_a_resumed_run_goes_on_in_the_same_tracker_run(tmp_path: Path) -> None:
    more = {"track": ("tensorboard",)}
    with pytest.raises(Stop):
        go(tmp_path, killer(6, stop), 1, **more)
    time.sleep(1)
    record = go(tmp_path, every=1, **more)
    assert any("resumed" in note for note in record.notes)
    (run,) = runs(tmp_path)
    assert [step for step, _ in scalars(run)["epoch/train_loss"]] == [4, 8]


def leveldb_records(content: bytes) -> Iterator[bytes]:
    """The records of a .wandb file: 7 bytes of its own, then LevelDB's log format."""
    block, header = 32768, 7
    at, whole = header, b""
    while at + header <= len(content):
        if block - at % block < header:
            at += block - at % block
            continue
        length = int.from_bytes(content[at + 4 : at + 6], "little")
        kind = content[at + 6]
        part = content[at + header : at + header + length]
        at += header + length
        whole = part if kind in (1, 2) else whole + part
        if kind in (1, 4):
            yield whole


@pytest.mark.slow
def test_weights_and_biases_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    (record,) = rb.run(**{**FIELDS, "output": tmp_path, "track": ("wandb",)})
    assert not [note for note in record.notes if "--track" in note], record.notes
    (file,) = (tmp_path / ".trackers").rglob("*.wandb")
    found: dict[str, str] = {}
    ids = set()
    for data in leveldb_records(file.read_bytes()):
        part = wandb_internal_pb2.Record()
        part.ParseFromString(data)
        if part.WhichOneof("record_type") == "run":
            ids.add(part.run.run_id)
        for item in part.history.item:
            found[item.key or "/".join(item.nested_key)] = item.value_json
    assert ids == {record.digest[:32]}
    assert float(found["metrics/top1"]) == record.metric("top1").value
    assert float(found["epoch/train_loss"]) == record.history["train_loss"][-1]


class Raises:
    """A tracker without a network."""

    name = "tensorboard"
    requires_logging_directory = False

    def __init__(self, name: str, **options: Any) -> None:
        pass

    def start(self) -> None:
        raise ConnectionError("no network")


class Hangs(Raises):
    def start(self) -> None:
        time.sleep(600)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "said"), [(Raises, "ConnectionError: no network"), (Hangs, "no answer in 1 s")]
)
def test_a_tracker_in_trouble_costs_a_note(
    kind: type[Raises], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import accelerate.tracking

    monkeypatch.setitem(accelerate.tracking.LOGGER_TYPE_TO_CLASS, "tensorboard", kind)
    monkeypatch.setattr(tracking.Tracking.__init__, "__defaults__", (1.0, 1.0))
    (plain,) = rb.run(**FIELDS)
    start = time.monotonic()
    (tracked,) = rb.run(**{**FIELDS, "output": tmp_path, "track": ("tensorboard",)})
    assert time.monotonic() - start < 120
    assert tracked.status == "done"
    assert [note for note in tracked.notes if "--track" in note] == [
        f"--track tensorboard: {said}" + ("; left" if kind is Hangs else "")
    ]
    assert numbers(tracked) == numbers(plain)


def test_an_unknown_tracker_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(rb.UserError, match="tensorboard"):
        rb.run(**{**FIELDS, "output": tmp_path, "track": ("tensorbord",)})
