"""The processes that execute runs: how they start, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import psutil
import pytest

from rbench.records.record import read
from rbench.runner import checkpoint
from rbench.sweep.executors import Event, Settings
from rbench.sweep.executors.local import Local
from rbench.sweep.executors.worker_process import LOST, Worker, WorkerStarter
from tests.helpers import fake_entry_points, faulty_plugin

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="workers are forked on Linux only"
)
SLOW: dict[str, Any] = {
    "model": "test_resnet",
    "task_kwargs": {},
    "training": {"epochs": 20, "batch_size": 16},
    "limit": 160,
}
"""A training of 200 steps, which saves by itself at most once a minute."""


@pytest.fixture
def starter(plugin: Path, tmp_path: Path) -> Iterator[WorkerStarter]:
    made = WorkerStarter(Settings(output=tmp_path), 1, fork=True, gpus=[])
    yield made
    made.close()


def hear(worker: Worker, wanted: str) -> dict[str, Any]:
    """Wait for an event of that kind."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        wait([worker.events], 1)
        for event in worker.hear():
            if event["event"] == wanted:
                return event
        assert not worker.ended, (worker.exit_reason(), worker.said())
    raise TimeoutError(wanted)


def ended(worker: Worker) -> int | None:
    worker.wait(60)
    return worker.process.exitcode


@pytest.mark.slow
@linux
def test_forked_workers_live_and_die_like_any_process(starter: WorkerStarter) -> None:
    first, second, third, fourth = (starter.start(slot) for slot in range(4))
    for worker in (first, second, third, fourth):
        hear(worker, "ready")
    forkserver = starter.forkserver()
    assert forkserver is not None
    assert {child.pid for child in forkserver.children()} == {
        worker.pid for worker in (first, second, third, fourth)
    }
    assert os.getsid(first.pid) == first.pid
    assert first.memory() > 2**20
    first.jobs.close()
    assert ended(first) == 0
    second.terminate()
    assert ended(second) == 128 + signal.SIGTERM
    third.kill()
    assert ended(third) == -signal.SIGKILL
    fourth.wait(0.1)
    assert fourth.process.exitcode is None
    # Slurm signals every process of a job; the forkserver must outlive its workers' saving.
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        forkserver.send_signal(name)
    time.sleep(0.2)
    assert fourth.process.is_alive()
    process = psutil.Process(fourth.pid)
    forkserver.kill()
    assert ended(fourth) == LOST
    gone, _ = psutil.wait_procs([process], 10)
    assert gone, "the kernel ends a worker with the process that it was forked from"
    # The next one starts another forkserver.
    fifth = starter.start(4)
    hear(fifth, "ready")
    fifth.kill()


@pytest.mark.slow
@linux
@pytest.mark.parametrize("thread", [False, True])
def test_a_thread_that_a_plugin_starts_forbids_the_fork(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, thread: bool
) -> None:
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True)"
    folder = tmp_path / "threads"
    start = ".start()\n" if thread else "\n"
    fake_entry_points.install(
        folder, "threads", {"threads": "rbench_threads"}, rbench_threads=code + start
    )
    monkeypatch.syspath_prepend(str(folder))
    heard: list[Event] = []
    local = Local(Settings(output=tmp_path / "out", slots=1, threads=1))
    methods: set[str] = set()

    def on_event(event: Event) -> None:
        heard.append(event)
        assert local.loop is not None
        methods.add(local.loop.starter.method)

    job = faulty_plugin.job()
    local.run([job], on_event)
    assert methods == {"spawn" if thread else "forkserver"}
    assert [e.kind for e in heard if e.kind in ("done", "failed", "retry")] == ["done"], heard


@pytest.mark.slow
@linux
def test_a_sweep_survives_the_death_of_its_forkserver(plugin: Path, tmp_path: Path) -> None:
    hangs = {"how": "hang once", "flag": str(tmp_path / "flag")}
    jobs = [faulty_plugin.job(model_kwargs=hangs), faulty_plugin.job(seed=1)]
    heard: list[Event] = []
    killed: list[Event] = []
    local = Local(Settings(output=tmp_path / "out", slots=2, threads=1))

    def on_event(event: Event) -> None:
        heard.append(event)
        if event.kind == "started" and event.slug == jobs[0].slug and not killed:
            # Not before it hangs, so that the second attempt does not.
            while not (tmp_path / "flag").exists():
                time.sleep(0.02)
            killed.append(event)
            assert local.loop is not None
            forkserver = local.loop.starter.forkserver()
            assert forkserver is not None
            forkserver.kill()

    local.run(jobs, on_event)
    assert all(read(tmp_path / "out" / f"{j.slug}.json").status == "done" for j in jobs)
    assert "retry" in [event.kind for event in heard]
    assert not list((tmp_path / "out" / ".locks").iterdir())


@pytest.mark.slow
def test_a_worker_whose_parent_died_records_no_failure(plugin: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / ".locks").mkdir(parents=True)
    starter = WorkerStarter(Settings(output=tmp_path / "out"), 1, fork=False, gpus=[])
    worker = starter.start(0)
    hear(worker, "ready")
    worker.give(faulty_plugin.job(**SLOW))
    worker.events.close()
    assert ended(worker) == 1
    starter.close()
    assert not list((tmp_path / "out").glob("*.json"))


@pytest.mark.slow
@linux
def test_workers_die_with_a_sweep_that_is_killed(plugin: Path, tmp_path: Path) -> None:
    suite = tmp_path / "suite.toml"
    suite.write_text(
        'summary = "One."\n[base]\nmodel = "trouble"\ndataset = "digits"\ndevice = "cpu"\n'
        'metrics = ["top1"]\nmodel_kwargs.how = "hang"\n'
    )
    output = tmp_path / "out"
    command = [sys.executable, "-m", "rbench", "sweep", str(suite), "--output", str(output)]
    sweep = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until(lambda: list((output / ".logs").glob("*")), sweep)
    family = psutil.Process(sweep.pid).children(recursive=True)
    assert len(family) >= 2
    sweep.kill()
    sweep.wait()
    assert not psutil.wait_procs(family, 20)[1]


def until(what: Callable[[], object], process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("slurm", [False, True])
def test_a_worker_that_is_asked_to_end_saves_first(
    plugin: Path, tmp_path: Path, slurm: bool
) -> None:
    """Without any distance between checkpoints: the first is the one at the end.

    Slurm asks all processes of a job; its executor asks the workers once more.
    """
    job, output = faulty_plugin.job(**SLOW), tmp_path / "out"
    local = Local(Settings(output=output, slots=1, threads=1))

    def interrupt(event: Event) -> None:
        if event.kind == "progress" and event.text.startswith("train") and event.done > 5:
            if slurm:
                assert local.loop is not None
                os.kill(local.loop.workers[0].pid, signal.SIGUSR2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local.run([job], interrupt)
    assert not list(output.glob("*.json"))
    assert not list((output / ".locks").iterdir())
    saved = checkpoint.load(output / ".checkpoints" / job.slug / "0")
    assert saved is not None
    assert 5 < saved.step < 200
    local.run([job], lambda event: None)
    record = read(output / f"{job.slug}.json")
    assert record.status == "done"
    assert f"resumed from a checkpoint after step {saved.step} of 200" in record.notes


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs its signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_run_saves_before_it_ends(plugin: Path, tmp_path: Path, name: str) -> None:
    words = ["--model", "test_resnet", "--dataset", "digits", "--device", "cpu", "--limit", "160"]
    words += ["--epochs", "20", "-b", "16", "--metrics", "top1", "--output", str(tmp_path / "out")]
    command = [sys.executable, "-m", "rbench", "run", *words, "--checkpoint-every", "10"]
    checkpoints = tmp_path / "out" / ".checkpoints"
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until(lambda: list(checkpoints.glob("*/0/step-*.facts")), run)
    run.send_signal(getattr(signal, name))
    _, said = run.communicate(timeout=60)
    assert run.returncode == 128 + getattr(signal, name), said
    assert "asked to end; saved after step" in said
    (folder,) = checkpoints.glob("*/0")
    saved = checkpoint.load(folder)
    assert saved is not None
    assert f"saved after step {saved.step} of 200" in said
    assert not list((tmp_path / "out" / ".locks").iterdir())


@linux
@pytest.mark.slow
def test_the_second_ctrl_c_does_not_wait(plugin: Path, tmp_path: Path) -> None:
    """The first lets a run save for up to half a minute; this one ignores the request."""
    suite = tmp_path / "suite.toml"
    suite.write_text(
        'summary = "One."\n[base]\nmodel = "trouble"\ndataset = "digits"\ndevice = "cpu"\n'
        'metrics = ["top1"]\nmodel_kwargs.how = "ignore"\n'
    )
    output = tmp_path / "out"
    command = [sys.executable, "-m", "rbench", "sweep", str(suite), "--output", str(output)]
    sweep = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background ignores Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until(lambda: any("now it" in p.read_text() for p in output.glob(".logs/*")), sweep)
    family = psutil.Process(sweep.pid).children(recursive=True)
    sweep.send_signal(signal.SIGINT)
    time.sleep(1)
    assert sweep.poll() is None
    sweep.send_signal(signal.SIGINT)
    begun = time.monotonic()
    _, said = sweep.communicate(timeout=60)
    assert time.monotonic() - begun < 10
    assert sweep.returncode == 130, said
    assert "1 run left; to continue: rbench sweep" in said
    assert not psutil.wait_procs(family, 20)[1]


@linux
@pytest.mark.slow
def test_an_interrupted_sweep_says_what_it_saved_and_continues(
    plugin: Path, tmp_path: Path
) -> None:
    suite = tmp_path / "suite.toml"
    suite.write_text(
        'summary = "Two."\nseeds = 2\n[base]\nmodel = "test_resnet"\ndataset = "digits"\n'
        'device = "cpu"\nmetrics = ["top1"]\nlimit = 160\n'
        '"training.epochs" = 6\n"training.batch_size" = 16\n'
    )
    output = tmp_path / "out"
    command = [sys.executable, "-m", "rbench", "sweep", str(suite), "--output", str(output)]
    command += ["--slots", "1", "--checkpoint-every", "5"]
    sweep = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background ignores Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until(lambda: list(output.glob(".checkpoints/*/0/step-*.facts")), sweep)
    sweep.send_signal(signal.SIGINT)
    _, said = sweep.communicate(timeout=60)
    assert sweep.returncode == 130, said
    assert "1 run interrupted: 1 saved a checkpoint and will continue from it, 0 will" in said
    assert "2 runs left; to continue: rbench sweep" in said
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    notes = [note for path in output.glob("*.json") for note in read(path).notes]
    assert sum("resumed from a checkpoint" in note for note in notes) == 1
    assert "2 done" in again.stderr


NICE = """
import os, sys
from multiprocessing.connection import wait
from pathlib import Path
from rbench.sweep.executors import Settings
from rbench.sweep.executors.worker_process import WorkerStarter

if __name__ == "__main__":
    os.nice(7)
    starter = WorkerStarter(Settings(output=Path(sys.argv[1])), 1, fork=True, gpus=[])
    worker = starter.start(0)
    wait([worker.events], 100)
    print(Path(f"/proc/{worker.pid}/autogroup").read_text())
    worker.kill()
    starter.close()
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="this kernel does not schedule by session"
)
def test_nice_holds_for_a_worker_in_a_session_of_its_own(plugin: Path, tmp_path: Path) -> None:
    script = tmp_path / "start.py"
    script.write_text(NICE)
    done = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, timeout=200
    )
    expected = min(os.nice(0) + 7, 19)  # pytest itself may run at a low priority
    assert done.stdout.rstrip().endswith(f"nice {expected}"), done
