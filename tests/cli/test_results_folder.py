"""``rbench ls``, ``rm`` and ``merge``."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbench.records.record import to_json
from rbench.records.store import Store
from rbench.sweep.locks import RunLocks
from tests.conftest import Rbench
from tests.helpers.synthetic_records import record


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(tmp_path / "results")
    found.check_writable()
    for name, seed, value in (("a", 0, 90.0), ("b", 1, 80.0), ("c", 2, 85.0)):
        found.write(name, record(seed=seed, values={"top1": value}))
        found.artifacts(name).mkdir()
        (found.artifacts(name) / "x.png").write_bytes(b"x")
    return found


def test_ls_filters_sorts_and_shows_running(rbench: Rbench, store: Store) -> None:
    locks = RunLocks(store)
    locks.prepare()
    lock = locks.acquire("d")
    assert lock is not None
    with lock:
        done = rbench("ls", "--only", "seed<2", "--sort", "top1")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["b", "a", "d"]
    assert "b  done  91 s  top1 80" in lines[0]
    assert "d  running  process" in lines[2]
    assert lines[3] == "2 records, 1 running"


def test_rm_needs_yes_and_spares_running(rbench: Rbench, store: Store) -> None:
    refused = rbench("rm", "--only", "top1<90")
    assert (refused.returncode, refused.stdout) == (2, "b\nc\n")
    assert "add --yes to delete these 2 records" in refused.stderr
    locks = RunLocks(store)
    locks.prepare()
    lock = locks.acquire("b")
    assert lock is not None
    with lock:
        refused = rbench("rm", "--only", "top1<90", "--yes")
        assert refused.returncode == 2
        assert "b is being run by process" in refused.stderr
    assert store.record("b").exists()
    assert rbench("rm", "--only", "top1<90", "--yes").returncode == 0
    assert sorted(p.name for p in store.output.glob("[abc]*")) == ["a", "a.json"]


def test_merge_copies_and_refuses_conflicts(rbench: Rbench, store: Store, tmp_path: Path) -> None:
    done = rbench("merge", "results", "all")
    assert "3 records copied to all, 0 were there already" in done.stdout, done.stderr
    assert (tmp_path / "all" / "b" / "x.png").read_bytes() == b"x"
    assert (tmp_path / "all" / "b.json").read_text() == store.record("b").read_text()
    assert "0 records copied to all, 3 were" in rbench("merge", "results", "all").stdout
    store.write("new", record(seed=9))
    other = record(seed=0, values={"top1": 91.0})
    (tmp_path / "all" / "a.json").write_text(to_json(other))
    done = rbench("merge", "results", "all")
    assert done.returncode == 2
    assert "results/a.json and all/a.json are different records of one run" in done.stderr
    assert not (tmp_path / "all" / "new.json").exists()


def test_merge_prefers_finished_runs(rbench: Rbench, store: Store, tmp_path: Path) -> None:
    failed = record(seed=0, status="failed", metrics=[])
    store.write("a.failed", failed)
    into = Store(tmp_path / "all")
    into.check_writable()
    into.write("b", record(seed=1, values={"top1": 80.0}, status="failed", metrics=[]))
    done = rbench("merge", "results", "all")
    assert "3 records copied to all, 1 were there already" in done.stdout, done.stderr
    assert (into.output / "b.json").read_text() == store.record("b").read_text()
    assert sorted(p.name for p in into.output.glob("*.json")) == ["a.json", "b.json", "c.json"]
    into.write("c", record(seed=7))
    refused = rbench("merge", "results", "all")
    assert refused.returncode == 2
    assert "c.json are records of different runs" in refused.stderr
