"""Freezing over time: what learns when, and the same numbers after a training is resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rbench as rb
from rbench.records.record import read
from rbench.runner import resume

TINY: dict[str, Any] = {
    "model": "resnet10t",
    "limit": 32,
    "batch_size": 16,
    "epochs": 2,
    "metrics": ("loss",),
    "amp": False,
    "freeze": "all,!head",
    "unfreeze": "1:layer4",
}


@pytest.mark.slow
def test_a_resumed_run_thaws_at_the_same_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = rb.run(**TINY, output=None)
    assert whole.status == "done", whole.error
    assert whole.freeze is not None
    assert whole.freeze.unfreeze == ["1:layer4"]
    groups = {name.split(".")[0] for name in whole.freeze.learnable.names}
    assert groups == {"fc", "layer4"}
    save = resume.Checkpointer._save

    def once(self: Any, folder: Path, state: Any) -> None:
        save(self, folder, state)
        if state.step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(resume.Checkpointer, "_save", once)
        with (
            pytest.warns(UserWarning, match="seed 0 interrupted"),
            pytest.raises(KeyboardInterrupt),
        ):
            rb.run(**TINY, output=tmp_path, checkpoint_every=1)
    (cut,) = map(read, tmp_path.glob("*.json"))
    assert cut.status == "interrupted"
    (again,) = rb.run(**TINY, output=tmp_path, checkpoint_every=1)
    assert any("resumed" in note for note in again.notes)
    assert again.result_sha256 == whole.result_sha256
