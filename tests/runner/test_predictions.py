from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rbench as rb
from rbench.errors import UserError
from rbench.plugin.contexts import Artifacts
from rbench.plugin.outcomes import ClassificationOutcome, Outcome
from rbench.records.predictions import predictions_of
from rbench.records.record import Record, read
from rbench.runner.saved_files import save_predictions
from tests.conftest import Rbench
from tests.runner.test_validation import TINY


def the_record(folder: Path) -> Path:
    (path,) = folder.glob("*.json")
    return path


def outcome(classes: int, count: int = 50) -> ClassificationOutcome:
    draw = torch.Generator().manual_seed(classes)
    return ClassificationOutcome(
        network=torch.nn.Identity(),
        classifier=torch.nn.Identity(),
        test=None,  # type: ignore[arg-type]
        logits=torch.randn(count, classes, generator=draw),
        labels=torch.randint(classes, (count,), generator=draw),
    )


@pytest.mark.parametrize("classes", [2, 10, 256, 1000])
def test_predictions_are_those_of_a_plain_sort(classes: int, tmp_path: Path) -> None:
    made = outcome(classes)
    artifacts = Artifacts(tmp_path / "slug")
    save_predictions(made, artifacts, lambda text: pytest.fail(text))
    found = predictions_of(tmp_path / "slug.json")
    assert found is not None
    order = np.argsort(-made.logits.numpy(), axis=1)
    assert (found.top5 == order[:, :5]).all()
    assert (found.predicted == order[:, 0]).all()
    assert (found.labels == made.labels.numpy()).all()
    size = (tmp_path / "slug" / "predictions.safetensors").stat().st_size
    each = (2 + min(5, classes)) * (1 if classes <= 256 else 4)
    assert size < 50 * each + 400


def test_no_classes_no_predictions(tmp_path: Path) -> None:
    notes: list[str] = []
    artifacts = Artifacts(tmp_path / "slug")
    save_predictions(Outcome(network=torch.nn.Identity()), artifacts, notes.append)
    assert "classifies no images" in notes[0]
    assert predictions_of(tmp_path / "slug.json") is None
    (tmp_path / "slug").mkdir()
    (tmp_path / "slug" / "predictions.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError, match="holds no predictions"):
        predictions_of(tmp_path / "slug.json")


LC: dict[str, Any] = {
    "model": "resnet_lc_8_4x8",
    "freeze": "spatial",
    "channels_last": True,
    "amp": True,
    "val": 50,
    "keep": "best",
}


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, LC], ids=["plain", "lc"])
def test_saved_weights_measure_as_a_run_that_had_asked(
    more: dict[str, Any], rbench: Rbench, tmp_path: Path
) -> None:
    fields = {**TINY, **more, "metrics": ("top1",)}
    folder = tmp_path / "results"
    options = {"output": folder, "save_weights": True, "save_predictions": True}
    (parent,) = rb.run(**{**fields, **options})
    assert parent.status == "done", parent.error
    (asked,) = rb.run(**{**fields, "metrics": ("loss", "fgsm", "convergence")})
    path = the_record(folder)
    found = predictions_of(path)
    assert found is not None
    assert 100 * (found.predicted == found.labels).mean() == parent.metric("top1").value
    done = rbench(
        *("measure", str(path), "--metrics", "loss", "fgsm,convergence", "--device", "cpu")
    )
    assert done.returncode == 0, done.stderr
    (new,) = (p for p in folder.glob("*.json") if p != path)
    measured = read(new)
    assert measured.parent == parent.digest
    assert measured.digest == asked.digest
    assert measured.metrics == asked.metrics
    same = ("result_sha256", "network_sha256", "history", "selection", "protocol", "freeze")
    for name in same:
        assert getattr(measured, name) == getattr(asked, name), name
    assert "train" not in {p.name for p in measured.timing if p.seconds > 1}
    # Again: the record is there, and the folder's child without weights is not taken up.
    assert rbench("measure", str(folder), "--metrics", "loss").returncode == 0
    assert len(list(folder.glob("*.json"))) == 3


@pytest.mark.slow
def test_what_cannot_be_measured_is_one_line(rbench: Rbench, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    rb.run(**{**TINY, "output": folder})
    path = the_record(folder)
    done = rbench("measure", str(path), "--metrics", "loss")
    assert done.returncode == 2
    assert "run with --save-weights" in done.stderr
    assert (
        "no finished run here kept its weights"
        in rbench("measure", str(folder), "--metrics", "loss").stderr
    )
    (again,) = rb.run(**{**TINY, "output": folder, "save_weights": True})
    weights = path.with_suffix("") / "weights.safetensors"
    from safetensors.torch import load_file, save_file

    changed = {name: tensor + 1 for name, tensor in load_file(weights).items()}
    save_file(changed, weights)
    done = rbench("measure", str(path), "--metrics", "loss", "--device", "cpu")
    assert done.returncode == 2
    assert "does not hold the weights that its record names" in done.stderr
    assert isinstance(again, Record)


@pytest.mark.slow
def test_a_record_without_what_is_asked_for_is_made_again(tmp_path: Path) -> None:
    fields = {**TINY, "output": tmp_path / "results"}
    (first,) = rb.run(**fields)
    (same,) = rb.run(**fields)
    assert same.started == first.started
    assert same.seconds == first.seconds
    (more,) = rb.run(**fields, save_predictions=True, eval_every=1)
    assert more.digest == first.digest
    assert more.metrics == first.metrics
    assert "top1@test" in more.history
    assert predictions_of(the_record(tmp_path / "results")) is not None
    (kept,) = rb.run(**fields, save_predictions=True, eval_every=1)
    assert kept.seconds == more.seconds
