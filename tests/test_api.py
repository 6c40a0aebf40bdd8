"""rbench from Python: the folder, the records it returns, failures that can be read."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path

import pytest

import rbench
from rbench import UserError
from rbench.api import to_spec
from rbench.plugin.recipe import Training
from rbench.records.record import Failure, read

TINY = {"model": "test_resnet", "task_kwargs": {"train": False}, "metrics": ["top1"]}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_default_folder_is_that_of_the_command(tmp_path: Path) -> None:
    (record,) = rbench.run(**TINY)
    frame = rbench.load("results")
    assert list(frame["digest"]) == [record.digest]
    (again,) = rbench.run(**TINY)
    assert again.started == record.started, "it was run again"


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    rbench.run(**TINY, output=None)
    assert not list(tmp_path.iterdir())


def test_records_print_in_a_line_and_become_a_frame() -> None:
    records = rbench.run(**TINY, seeds=2)
    assert len(repr(records).splitlines()) == 2
    assert all(len(line) < 160 for line in repr(records).splitlines())
    assert "test_resnet · learns: nothing, untrained, seed 1: done: top1" in repr(records[1])
    frame = records.to_frame()
    assert list(frame["seed"]) == [0, 1]
    assert list(frame["metric.top1"]) == [r.metric("top1").value for r in records]
    assert all(Path(path).exists() for path in frame["path"])
    html = records._repr_html_()
    assert html.count("<tr>") == 3
    assert "<th>top1</th>" in html


def test_html_of_a_record_escapes_what_it_shows() -> None:
    (record,) = rbench.run(**TINY, output=None)
    record.error = Failure(kind="ValueError", message="<script>")
    assert "&lt;script&gt;" in record._repr_html_()
    assert "<script>" not in rbench.run.__globals__["Records"]([record])._repr_html_()


def test_a_user_error_has_a_short_traceback() -> None:
    with pytest.raises(UserError, match="did you mean resnet50") as caught:
        rbench.run("resnet5")
    text = "".join(traceback.format_exception(caught.value))
    assert len(text.splitlines()) <= 12, text


def test_a_failed_run_is_warned_of(plugin: Path) -> None:
    with pytest.warns(UserWarning, match=r"seed 0 failed: .*upset"):
        (record,) = rbench.run("trouble", output=None, model_kwargs={"how": "raise"})
    assert record.status == "failed"


def test_a_notebook_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for IPython's two functions, since a kernel is not at hand."""
    from types import SimpleNamespace

    from rbench.runner.progress import Reporter

    shown: list[str] = []
    handle = SimpleNamespace(update=shown.append)

    def display(html: str, display_id: bool) -> SimpleNamespace:
        shown.append(html)
        return handle

    ipython = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(HTML=str, display=display))
    with Reporter() as reporter:
        reporter("train", 1, 2, "loss <1>")
        reporter("train", 2, 2)
    assert "<progress value='1' max='2'></progress> train 1/2 loss &lt;1&gt;" in shown[0]
    assert "train 2/2" in shown[1]
    assert shown[2] == ""


@pytest.mark.parametrize("kept", [True, False], ids=["results", "output=None"])
def test_ctrl_c_ends_a_loop_over_runs(tmp_path: Path, kept: bool) -> None:
    """Python's own signal in a real process: no seed and no run begins after it."""
    script = f"""
import os, signal, rbench

def measure(outcome):
    print("measured", flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    return 1.0

for _ in range(2):
    rbench.run(
        "test_resnet", dataset="digits", device="cpu", task_kwargs={{"train": False}}, seeds=2,
        metrics=[measure], output={"'out'" if kept else None}, progress=False,
    )
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode
    assert done.stdout.count("measured") == 1
    assert done.stderr.splitlines()[-1] == "KeyboardInterrupt"
    statuses = [read(path).status for path in tmp_path.glob("out/*.json")]
    assert statuses == ["interrupted"] * kept


def test_training_may_be_a_recipe_and_none_is_not_given() -> None:
    plain = to_spec({"model": "resnet18"})
    assert to_spec({"model": "resnet18", "training": None, "freeze": None}) == plain
    frozen = to_spec({"model": "resnet18", "freeze": None, "freeze_spatial": True})
    assert frozen.freeze == ("spatial",)
    given = {"epochs": 3, "batch_size": 8, "lr": 0.1, "sched": "multistep"}
    recipe = Training(**given, decay_milestones=(1, 2))
    spec = to_spec({"model": "resnet18", "training": recipe, "lr": 0.5})
    assert spec.training == {**given, "decay_milestones": [1, 2], "lr": 0.5}
    with pytest.raises(UserError, match=r"run: training = 'fast': expected rbench.Training"):
        to_spec({"model": "resnet18", "training": "fast"})
