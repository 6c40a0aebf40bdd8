"""The processes that run cells: how they come to be, and how they go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rbench.records.record import read
from rbench.runner import checkpoint
from rbench.sweep.executors import Event, Settings
from rbench.sweep.executors.forkserver_client import Forked, Zygote, possible
from rbench.sweep.executors.local import Local
from rbench.sweep.executors.worker_process import Spawned, environment_of
from tests.helpers import fake_entry_points, faulty_plugin

linux = pytest.mark.skipif(not possible(), reason="workers are forked on Linux only")
SLOW: dict[str, Any] = {
    "model": "test_resnet",
    "task_kwargs": {},
    "training": {"epochs": 20, "batch_size": 16},
    "limit": 160,
}
"""A training of 200 steps, which saves by itself at most once a minute."""


def command_of(pid: int | None) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


@pytest.fixture
def zygote(plugin: Path) -> Iterator[Zygote]:
    zygote = Zygote(environment_of(1))
    yield zygote
    zygote.kill()


def ready(worker: Forked, settings: Settings) -> None:
    """Hand over the settings and wait until the worker takes tickets."""
    worker.stdin.write(settings.model_dump_json().encode() + b"\n")
    worker.stdin.flush()
    assert b"ready" in worker.stdout.readline()


@linux
def test_forks_live_and_die_like_any_process(zygote: Zygote, tmp_path: Path) -> None:
    settings = Settings(output=tmp_path)
    with tempfile.TemporaryFile() as printed:
        first, second, third, fourth = (zygote.fork(printed) for _ in range(4))
        assert first.poll() is None
        for worker in (first, second, third, fourth):
            ready(worker, settings)
        assert "rbench.sweep.forkserver" in command_of(first.pid)
        assert os.getsid(first.pid or 0) == first.pid
        first.stdin.close()
        assert first.wait() == 0
        second.terminate()
        assert second.wait() == 128 + signal.SIGTERM
        third.kill()
        assert third.wait() == -signal.SIGKILL
        with pytest.raises(subprocess.TimeoutExpired):
            fourth.wait(0.1)
        zygote.process.send_signal(signal.SIGTERM)
        assert fourth.poll() is None
        zygote.kill()
        assert fourth.wait() == -signal.SIGKILL
        # The kernel ends it with the zygote, and so do its events.
        assert fourth.stdout.readline() == b""
        assert zygote.fork(printed).wait() == -signal.SIGKILL


@linux
def test_a_thread_that_a_plugin_starts_forbids_the_fork(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True)"
    fake_entry_points.install(
        tmp_path, "threads", {"threads": "rbench_threads"}, rbench_threads=code
    )
    for start in ("", ".start()"):
        source = tmp_path / "rbench_threads.py"
        source.write_text(code + start + "\n")
        zygote = Zygote({**environment_of(1), "PYTHONPATH": str(tmp_path)})
        with tempfile.TemporaryFile() as printed:
            worker = zygote.fork(printed)
            ready(worker, Settings(output=tmp_path))
            assert worker.poll() is None
            expected = "rbench.sweep.worker" if start else "rbench.sweep.forkserver"
            assert expected in command_of(worker.pid)
            worker.terminate()
            assert worker.wait() == 128 + signal.SIGTERM
        zygote.kill()


@linux
def test_a_sweep_survives_the_death_of_its_zygote(plugin: Path, tmp_path: Path) -> None:
    cells = [faulty_plugin.ticket(seed=seed) for seed in range(4)]
    heard: list[Event] = []
    local = Local(Settings(output=tmp_path / "out", slots=2, threads=1))

    def report(event: Event) -> None:
        heard.append(event)
        if [e.kind for e in heard].count("started") == 2 and event.kind == "started":
            assert local.sweep is not None
            assert local.sweep.zygote is not None
            local.sweep.zygote.process.kill()

    local.run(cells, report)
    assert all(read(tmp_path / "out" / f"{c.slug}.json").status == "done" for c in cells)
    assert "retry" in [event.kind for event in heard]
    assert not list((tmp_path / "out" / ".claims").iterdir())


def test_nobody_to_report_to_is_no_failed_cell(plugin: Path, tmp_path: Path) -> None:
    settings = Settings(output=tmp_path / "out")
    (tmp_path / "out" / ".claims").mkdir(parents=True)
    with tempfile.TemporaryFile() as printed:
        worker = Spawned(environment_of(1), printed)
        assert worker.stdin is not None
        assert worker.stdout is not None
        lines = [settings.model_dump_json(), faulty_plugin.ticket(**SLOW).model_dump_json()]
        worker.stdin.write("".join(f"{line}\n" for line in lines).encode())
        worker.stdin.flush()
        assert b"ready" in worker.stdout.readline()
        worker.stdout.close()
        assert worker.wait(60) == 1
    assert not list((tmp_path / "out").glob("*.json"))


@pytest.mark.parametrize("slurm", [False, True])
def test_who_is_asked_to_leave_saves_first(plugin: Path, tmp_path: Path, slurm: bool) -> None:
    """Without any distance between checkpoints: the first is that of leaving.

    Slurm asks all processes of a job; its executor asks the workers once more.
    """
    cell, output = faulty_plugin.ticket(**SLOW), tmp_path / "out"
    local = Local(Settings(output=output, slots=1, threads=1))

    def interrupt(event: Event) -> None:
        if event.kind == "progress" and event.text.startswith("train") and event.done > 5:
            if slurm:
                assert local.sweep is not None
                local.sweep.workers[0].process.send_signal(signal.SIGUSR2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local.run([cell], interrupt)
    assert not list(output.glob("*.json"))
    assert not list((output / ".claims").iterdir())
    saved = checkpoint.load(output / ".checkpoints" / cell.slug / "0")
    assert saved is not None
    assert 5 < saved.step < 200
    local.run([cell], lambda event: None)
    record = read(output / f"{cell.slug}.json")
    assert record.status == "done"
    assert f"resumed from a checkpoint after step {saved.step} of 200" in record.notes


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs its signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_run_saves_before_it_leaves(plugin: Path, tmp_path: Path, name: str) -> None:
    words = ["--model", "test_resnet", "--dataset", "digits", "--device", "cpu", "--limit", "160"]
    words += ["--epochs", "20", "-b", "16", "--metrics", "top1", "--output", str(tmp_path / "out")]
    command = [sys.executable, "-m", "rbench", "run", *words, "--checkpoint-every", "10"]
    checkpoints = tmp_path / "out" / ".checkpoints"
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list(checkpoints.glob("*/0/step-*.facts")):
        assert run.poll() is None
        time.sleep(0.01)
    run.send_signal(getattr(signal, name))
    _, said = run.communicate(timeout=60)
    assert run.returncode == 128 + getattr(signal, name), said
    assert "asked to leave; saved after step" in said
    (folder,) = checkpoints.glob("*/0")
    saved = checkpoint.load(folder)
    assert saved is not None
    assert f"saved after step {saved.step} of 200" in said
    assert not list((tmp_path / "out" / ".claims").iterdir())
