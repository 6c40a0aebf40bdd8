"""Locks of runs in a folder that several processes, on several machines, share."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rbench.records.store import Store
from rbench.sweep import locks
from rbench.sweep.locks import RunLocks


@pytest.fixture
def shared(tmp_path: Path) -> RunLocks:
    made = RunLocks(Store(tmp_path))
    made.prepare()
    return made


def test_one_owner_at_a_time(shared: RunLocks) -> None:
    mine = shared.acquire("run")
    assert mine is not None
    assert mine.is_held()
    assert shared.acquire("run") is None
    assert shared.acquire("other") is not None
    assert shared.owners()["run"].pid == os.getpid()
    mine.release()
    assert "run" not in shared.owners()
    again = shared.acquire("run")
    assert again is not None
    assert not again.took_over


DIE = """
import os, sys
from pathlib import Path
from rbench.records.store import Store
from rbench.sweep.locks import RunLocks
locks = RunLocks(Store(Path(sys.argv[1])))
locks.prepare()
assert locks.acquire("run")
os._exit(9)
"""


def test_the_lock_of_a_dead_owner_is_taken_over(shared: RunLocks, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", DIE, str(tmp_path)])
    assert len(list(shared.folder.iterdir())) == 1
    assert shared.owners() == {}
    taken = shared.acquire("run")
    assert taken is not None
    assert taken.took_over
    assert taken.is_held()
    assert [path.name for path in shared.folder.iterdir()] == ["run.2"]


@pytest.fixture
def fuse(tmp_path: Path) -> Iterator[Path]:
    """A file system that cannot exchange two names atomically, as NFS and CIFS cannot."""
    if shutil.which("bindfs") is None:
        pytest.skip("bindfs is not installed")
    source, mounted = tmp_path / "source", tmp_path / "mounted"
    source.mkdir()
    mounted.mkdir()
    if subprocess.run(["bindfs", str(source), str(mounted)], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


def test_a_takeover_needs_no_atomic_exchange(fuse: Path) -> None:
    """On this file system filelock's SoftFileLease never takes over."""
    assert subprocess.run([sys.executable, "-c", DIE, str(fuse)]).returncode == 9
    taken = RunLocks(Store(fuse)).acquire("run")
    assert taken is not None
    assert taken.took_over


def test_an_owner_on_another_machine_is_dead_after_its_lease(
    shared: RunLocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_host", lambda: ("far", "space"))
    theirs = shared.acquire("run")
    assert theirs is not None
    theirs._released.set()
    monkeypatch.undo()
    assert shared.acquire("run") is None
    assert str(shared.owners()["run"]) == f"process {os.getpid()} on far"
    long_ago = time.time() - shared.lease_seconds - 1
    os.utime(theirs.path, (long_ago, long_ago))
    mine = shared.acquire("run")
    assert mine is not None
    # When the other process continues, it finds that it may not write.
    assert not theirs.is_held()
    theirs.release()
    assert mine.is_held()


def test_a_lock_is_renewed_while_it_is_held(tmp_path: Path) -> None:
    shared = RunLocks(Store(tmp_path), lease_seconds=0.5)
    shared.prepare()
    with shared.acquire("run") as mine:  # type: ignore[union-attr]
        os.utime(mine.path, (0, 0))
        deadline = time.monotonic() + 5
        while mine.path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert time.time() - mine.path.stat().st_mtime < 5
    assert not mine.path.exists()


def test_a_folder_that_vanishes_loses_no_lock_and_is_not_created_anew(
    shared: RunLocks, tmp_path: Path
) -> None:
    mine = shared.acquire("run")
    assert mine is not None
    shared.folder.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        mine.is_held()
    with pytest.raises(FileNotFoundError):
        shared.acquire("other")
    assert not shared.folder.exists()
    (tmp_path / "away").rename(shared.folder)
    assert mine.is_held()


def _race(folder: str, rounds: int) -> None:
    shared = RunLocks(Store(Path(folder)))
    for number in range(rounds):
        while True:
            lock = shared.acquire(f"run-{number}")
            if lock is not None:
                inside = Path(folder) / f"inside-{number}"
                # Fails if another process is inside.
                os.mkdir(inside)
                time.sleep(0.001)
                os.rmdir(inside)
                with open(Path(folder) / "log", "a") as log:
                    log.write(json.dumps([number, os.getpid()]) + "\n")
                lock.release()
                break
            time.sleep(0.0005)


@pytest.mark.slow
def test_processes_never_hold_a_lock_together(shared: RunLocks, tmp_path: Path) -> None:
    stale = {"host": locks._host()[0], "space": locks._host()[1], "pid": 2**22, "started": "1"}
    for number in range(0, 40, 2):
        (shared.folder / f"run-{number}.1").write_text(json.dumps({**stale, "token": "x"}))
    context = multiprocessing.get_context("spawn")
    racers = [context.Process(target=_race, args=(str(tmp_path), 40)) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(120)
    assert [racer.exitcode for racer in racers] == [0] * 4
    assert len((tmp_path / "log").read_text().splitlines()) == 160
    assert not list(shared.folder.iterdir())
