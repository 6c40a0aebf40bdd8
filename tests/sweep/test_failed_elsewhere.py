"""Runs that another process of the same sweep, or another machine's, has recorded as failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rbench
from rbench.plugin.catalog import Catalog
from rbench.records.store import Store
from rbench.spec.resolve import resolve
from rbench.sweep import worker
from rbench.sweep.executors import Event, Settings
from rbench.sweep.executors.cluster import ClusterTask
from rbench.sweep.executors.local import Local
from rbench.sweep.job import RunJob
from rbench.sweep.locks import RunLocks
from rbench.sweep.survey import survey
from tests.helpers import faulty_plugin

FIELDS: dict[str, Any] = {**faulty_plugin.BASE, "model": "test_resnet"}
SAID = "another process recorded RuntimeError: no such luck"


@pytest.fixture
def jobs() -> list[RunJob]:
    catalog = Catalog.from_environment()
    return [RunJob.of(resolve(rbench.RunSpec(**FIELDS, seed=n), catalog)) for n in range(4)]


def fail(store: Store, job: RunJob, seconds: float = 1.0) -> None:
    """What another process does."""
    store.write(job.slug, job.failed("RuntimeError", "no such luck", seconds=seconds))


def test_they_are_not_executed_again(jobs: list[RunJob], tmp_path: Path) -> None:
    store, heard = Store(tmp_path), list[Event]()
    fail(store, jobs[0])
    Local(Settings(output=tmp_path)).run(jobs[:1], heard.append)
    assert [(event.kind, event.text) for event in heard] == [("failed", SAID)]
    # A task of a cluster gets its jobs as JSON, and gets them again after a preemption.
    assert ClusterTask(Settings(output=tmp_path), jobs[:1])() == {"failed": 1}


def test_nor_where_they_fail_between_the_look_and_the_lock(
    jobs: list[RunJob], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def executed(*arguments: object) -> None:
        raise AssertionError("executed")

    monkeypatch.setattr(worker, "_print_to_log", executed)
    store, heard = Store(tmp_path), list[tuple[str, str]]()
    RunLocks(store).prepare()
    fail(store, jobs[0])

    def emit(event: str, text: str = "") -> None:
        heard.append((event, text))

    worker.serve(jobs[0], Settings(output=tmp_path), Catalog.from_environment(), emit)
    assert heard == [("failed", SAID)]


def test_those_that_are_retried_are_executed_once(tmp_path: Path) -> None:
    store, run = Store(tmp_path), resolve(rbench.RunSpec(**FIELDS), Catalog.from_environment())
    assert not survey([run], store).jobs(store, retry_failed=False)[0].has_failed(store)
    fail(store, RunJob.of(run))
    found = survey([run], store)
    assert found.jobs(store, retry_failed=False) == []
    (again,) = found.jobs(store, retry_failed=True)
    sent = RunJob.model_validate_json(again.model_dump_json())
    assert not sent.has_failed(store)
    fail(store, again, seconds=2.0)
    assert sent.has_failed(store)


def test_they_count_as_failures(jobs: list[RunJob], tmp_path: Path) -> None:
    store, heard = Store(tmp_path), list[Event]()
    for job in jobs[2:]:
        fail(store, job)
    Local(Settings(output=tmp_path, max_failures=2)).run(jobs, heard.append)
    assert [event.kind for event in heard] == ["stopped"] * 4
