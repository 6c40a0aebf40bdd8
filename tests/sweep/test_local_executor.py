from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rbench.records.record import Record, read
from rbench.sweep.executors import Event, Settings, executor
from rbench.sweep.executors.local import Local
from tests.helpers import faulty_plugin


def records(output: Path) -> dict[str, Record]:
    return {path.stem: read(path) for path in output.glob("*.json")}


@pytest.mark.slow
def test_one_bad_run_stops_no_other(plugin: Path, tmp_path: Path) -> None:
    flag = str(tmp_path / "flag")
    cells = {
        "raise": faulty_plugin.job(model_kwargs={"how": "raise"}),
        "hang": faulty_plugin.job(model_kwargs={"how": "hang"}),
        "die": faulty_plugin.job(model_kwargs={"how": "die"}),
        "die once": faulty_plugin.job(model_kwargs={"how": "die once", "flag": flag}),
        "eat": faulty_plugin.job(model_kwargs={"how": "eat"}),
        "nan": faulty_plugin.job(
            model_kwargs={"how": "nan"},
            task_kwargs={},
            training={"epochs": 1, "batch_size": 8},
            limit=16,
        ),
        "well": faulty_plugin.job(),
    }
    vanished = faulty_plugin.job(seed=5).model_copy(
        update={"spec": {**cells["well"].spec, "model": "gone"}}
    )
    changed = faulty_plugin.job(seed=6).model_copy(
        update={"spec": {**cells["well"].spec, "seed": 7}}
    )
    cells |= {"vanished": vanished, "changed": changed}
    heard: list[Event] = []
    settings = Settings(
        output=tmp_path / "out", slots=2, time_limit=30, memory_limit=1.6, retries=1, threads=1
    )
    Local(settings).run(list(cells.values()), heard.append)

    kept = records(tmp_path / "out")
    found = {name: kept[cell.slug] for name, cell in cells.items()}
    assert {name: record.status for name, record in found.items()} == {
        **dict.fromkeys(cells, "failed"),
        "die once": "done",
        "well": "done",
    }, [record.error for record in found.values()]
    errors = {name: record.error for name, record in found.items() if record.error}
    kinds = {name: error.kind for name, error in errors.items()}
    assert kinds == {
        "raise": "RuntimeError",
        "hang": "TimeLimit",
        "die": "WorkerDied",
        "eat": "MemoryLimit",
        "nan": "Diverged",
        "vanished": "UnknownName",
        "changed": "Changed",
    }
    assert "the architecture is upset" in errors["raise"].traceback
    assert "now it hangs" in errors["hang"].log
    # Where it hung, as faulthandler saw it.
    assert "in build" in errors["hang"].traceback
    assert "code 7" in errors["die"].message
    ended = {e.slug: e.kind for e in heard if e.kind in ("done", "failed")}
    assert ended == {cell.slug: found[name].status for name, cell in cells.items()}
    assert [e.slug for e in heard if e.kind == "retry"].count(cells["die once"].slug) == 1
    assert not list((tmp_path / "out" / ".locks").iterdir())
    for name, record in found.items():
        assert record.digest == cells[name].digest


@pytest.mark.slow
def test_a_plugin_file_that_changed_since_submission_is_not_run(tmp_path: Path) -> None:
    file = tmp_path / "my_init.py"
    text = (
        "import rbench\n"
        "def draw(weight, generator, options):\n"
        "    weight.fill_(VALUE)\n"
        "@rbench.hookimpl\n"
        "def rbench_register_initializers():\n"
        "    yield rbench.Initializer(name='mine', summary='Mine.', draw=draw)\n"
    )
    file.write_text(text.replace("VALUE", "0.1"))
    fields = {"model": "test_resnet", "init": "mine", "plugin": (str(file),), "limit_test": 10}
    same = faulty_plugin.job(**fields)
    file.write_text(text.replace("VALUE", "0.2"))
    changed = faulty_plugin.job(**fields)
    file.write_text(text.replace("VALUE", "0.1"))
    Local(Settings(output=tmp_path, slots=1, threads=1)).run([same, changed], lambda event: None)
    kept = records(tmp_path)
    assert kept[same.slug].status == "done", kept[same.slug].error
    error = kept[changed.slug].error
    assert error is not None
    assert (error.kind, kept[changed.slug].status) == ("Changed", "failed")
    assert "a plugin, the data or the machine's precision differs" in error.message
    assert "Traceback" not in error.message


@pytest.mark.slow
def test_a_shared_process_changes_no_number(plugin: Path, tmp_path: Path) -> None:
    training = {"epochs": 1, "batch_size": 8}
    cells = [
        faulty_plugin.job(
            model="test_resnet", task_kwargs={}, training=training, limit=16, seed=seed
        )
        for seed in (0, 1)
    ]
    runs = []
    for number, order in enumerate([cells, cells[::-1]]):
        output = tmp_path / str(number)
        Local(Settings(output=output, slots=1, threads=1)).run(order, lambda event: None)
        runs.append(records(output))
    for cell in cells:
        one, other = (run[cell.slug] for run in runs)
        assert one.status == other.status == "done"
        assert one.result_sha256 == other.result_sha256
        assert one.metrics == other.metrics


@pytest.mark.slow
def test_too_many_failures_stop_the_sweep(plugin: Path, tmp_path: Path) -> None:
    cells = [faulty_plugin.job(model_kwargs={"how": "raise"}, seed=seed) for seed in range(5)]
    heard: list[Event] = []
    settings = Settings(output=tmp_path / "out", slots=1, max_failures=2)
    executor("local", settings).run(cells, heard.append)
    kinds = [event.kind for event in heard if event.kind in ("failed", "stopped")]
    assert kinds == ["failed"] * 2 + ["stopped"] * 3
    assert len(records(tmp_path / "out")) == 2


@pytest.mark.slow
def test_the_command_line(plugin: Path, tmp_path: Path) -> None:
    """Failures and their summary; ctrl-C; going on; two sweeps of one folder at once."""
    suite = tmp_path / "suite.toml"
    tally = tmp_path / "tally"
    suite.write_text(
        'summary = "Four."\nseeds = 3\n[base]\ndataset = "digits"\ndevice = "cpu"\n'
        'metrics = ["top1", "tally"]\ntask_kwargs.train = false\n'
        f'metric_kwargs.tally.file = "{tally}"\nmetric_kwargs.tally.seconds = 0.5\n'
        '[[grid]]\nmodel = ["trouble"]\n"model_kwargs.how" = ["raise", "well"]\n'
    )
    output = tmp_path / "out"
    command = [sys.executable, "-m", "rbench", "sweep", str(suite), "--output", str(output)]

    first = subprocess.Popen(
        [*command, "--slots", "1", "--only", "model_kwargs.how=well"],
        stderr=subprocess.PIPE,
        text=True,
        # What a shell runs in the background ignores Ctrl-C, and so does what that starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not tally.exists():
        assert first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    _, text = first.communicate(timeout=60)
    assert first.returncode == 130, text
    assert "interrupted: saving what is under way; Ctrl-C again ends at once" in text
    assert "1 run interrupted: 0 saved a checkpoint" in text
    assert "3 runs left; to continue: rbench sweep" in text
    assert not list((output / ".locks").iterdir())

    both = [
        subprocess.Popen([*command, "--slots", "1"], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=240)[1] for process in both]
    assert {process.returncode for process in both} == {1}, said
    kept = records(output)
    assert sorted(record.status for record in kept.values()) == ["done"] * 3 + ["failed"] * 3
    # One tally may be that of the run that Ctrl-C ended.
    assert len(tally.read_text().splitlines()) <= 4
    assert all("--retry-failed" in text for text in said if "failed:" in text)
    finished = [line for text in said for line in text.splitlines() if " done trouble-" in line]
    assert all("top1 " in line for line in finished if "already" not in line), finished

    again = subprocess.run([*command, "--no-wait"], stderr=subprocess.PIPE, text=True)
    assert again.returncode == 0
    assert "3 runs failed before; to run again what failed: rbench sweep" in again.stderr
    assert f"next: rbench leaderboard {output}" in again.stderr
    retried = subprocess.run(
        [*command, "--retry-failed", "--only", "seed=0"], stderr=subprocess.PIPE, text=True
    )
    assert retried.returncode == 1
    assert "the architecture is upset" in retried.stderr
    record = next(r for r in records(output).values() if r.error)
    assert json.dumps(record.resolved["model"])
