from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rbench.sweep import locks
from rbench.sweep.locks import Claims


@pytest.fixture
def shared(tmp_path: Path) -> Claims:
    made = Claims(tmp_path)
    made.prepare()
    return made


def test_one_owner_at_a_time(shared: Claims) -> None:
    mine = shared.take("cell")
    assert mine is not None
    assert mine.held()
    assert shared.take("cell") is None
    assert shared.take("other") is not None
    assert shared.running()["cell"].pid == os.getpid()
    mine.release()
    assert "cell" not in shared.running()
    again = shared.take("cell")
    assert again is not None
    assert not again.took_over


DIE = """
import os, sys
from pathlib import Path
from rbench.sweep.locks import Claims
assert Claims(Path(sys.argv[1])).take("cell")
os._exit(9)
"""


def test_a_dead_owners_claim_is_taken_over(shared: Claims, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", DIE, str(tmp_path)])
    assert len(list(shared.folder.iterdir())) == 1
    assert shared.running() == {}
    taken = shared.take("cell")
    assert taken is not None
    assert taken.took_over
    assert taken.held()
    assert [path.name for path in shared.folder.iterdir()] == ["cell.2"]


def test_an_owner_elsewhere_is_dead_when_it_is_silent(
    shared: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_host", lambda: ("far", "space"))
    theirs = shared.take("cell")
    assert theirs is not None
    theirs._over.set()
    monkeypatch.undo()
    assert shared.take("cell") is None
    long_ago = time.time() - shared.patience - 1
    os.utime(theirs.path, (long_ago, long_ago))
    mine = shared.take("cell")
    assert mine is not None
    # Back from its pause, the other one finds that it may not write.
    assert not theirs.held()
    theirs.release()
    assert mine.held()


def test_a_claim_is_touched_while_it_is_held(tmp_path: Path) -> None:
    shared = Claims(tmp_path, patience=0.5)
    shared.prepare()
    with shared.take("cell") as mine:  # type: ignore[union-attr]
        os.utime(mine.path, (0, 0))
        deadline = time.monotonic() + 5
        while mine.path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert time.time() - mine.path.stat().st_mtime < 5
    assert not mine.path.exists()


def test_a_vanished_folder_is_no_lost_claim(shared: Claims, tmp_path: Path) -> None:
    mine = shared.take("cell")
    assert mine is not None
    shared.folder.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        mine.held()
    with pytest.raises(FileNotFoundError):
        shared.take("other")
    (tmp_path / "away").rename(shared.folder)
    assert mine.held()


def _race(folder: str, rounds: int) -> None:
    shared = Claims(Path(folder))
    for number in range(rounds):
        while True:
            claim = shared.take(f"cell-{number}")
            if claim is not None:
                inside = Path(folder) / f"inside-{number}"
                # Fails if somebody else is inside; a rest of a dead owner is there on purpose.
                os.mkdir(inside)
                time.sleep(0.001)
                os.rmdir(inside)
                with open(Path(folder) / "log", "a") as log:
                    log.write(json.dumps([number, os.getpid()]) + "\n")
                claim.release()
                break
            time.sleep(0.0005)


def test_many_processes_never_meet_inside(shared: Claims, tmp_path: Path) -> None:
    stale = {"host": locks._host()[0], "space": locks._host()[1], "pid": 2**22, "started": "1"}
    for number in range(0, 40, 2):
        (shared.folder / f"cell-{number}.1").write_text(json.dumps({**stale, "token": "x"}))
    context = multiprocessing.get_context("spawn")
    racers = [context.Process(target=_race, args=(str(tmp_path), 40)) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(120)
    assert [racer.exitcode for racer in racers] == [0] * 4
    assert len((tmp_path / "log").read_text().splitlines()) == 160
    assert not list(shared.folder.iterdir())
