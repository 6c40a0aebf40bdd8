from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rbench.cli import app
from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.records.record import Record, to_json
from rbench.records.store import Store
from rbench.spec.resolve import Resolved
from rbench.spec.run_spec import RunSpec
from rbench.spec.select import select
from rbench.sweep import pilot
from rbench.sweep.job import RunJob
from rbench.sweep.locks import RunLocks
from rbench.sweep.plan import Cost, make_plan
from rbench.sweep.suite_settings import SuiteSettings, suite_runs
from rbench.sweep.survey import resolve_each, survey
from tests.helpers import faulty_plugin

MODELS = ("test_resnet", "test_byobnet")
MEBI = 2**20


def runs(seeds: int, models: tuple[str, ...] = MODELS) -> list[Resolved]:
    specs = [
        RunSpec.model_validate(
            {"model": m, "dataset": "digits", "device": "cpu", "seed": s, "training": {"epochs": e}}
        )
        for m in models
        for e in (1, 2)
        for s in range(seeds)
    ]
    found, bad = resolve_each(specs, Catalog.from_environment())
    assert not bad
    return found


def done(run: Resolved, seconds: float, **more: object) -> Record:
    from rbench import hardware

    record = RunJob.of(run).failed("none", "none")
    tensors = {"count": 1000, "names": ["w"]}
    content = {
        **record.model_dump(mode="json"),
        "status": "done",
        "error": None,
        "seconds": seconds,
        "peak_memory_bytes": 100 * MEBI,
        "freeze": {"policy": ["none"], "learnable": tensors, "frozen": tensors},
        "environment": {"device": "cpu", "cpu": hardware.cpu_name()},
        **more,
    }
    return Record.model_validate(content)


def put(output: Path, run: Resolved, record: Record) -> None:
    Store(output).write(run.slug, record)


def test_resolving_alike_runs_together_changes_nothing() -> None:
    from rbench.spec.resolve import resolve

    catalog = Catalog.from_environment()
    for run in runs(3):
        alone = resolve(run.spec, catalog)
        assert (alone.digest, alone.slug, alone.identity) == (run.digest, run.slug, run.identity)


def test_what_is_done_failed_running_and_missing(tmp_path: Path) -> None:
    every = runs(2)
    put(tmp_path, every[0], done(every[0], 10.0))
    put(tmp_path, every[2], RunJob.of(every[2]).failed("RuntimeError", "no"))
    # Torn, of another digest, interrupted: all missing.
    (tmp_path / f"{every[3].slug}.json").write_text(to_json(done(every[3], 1.0))[:-40])
    put(tmp_path, every[4], done(every[5], 1.0))
    put(tmp_path, every[5], done(every[5], 1.0, status="interrupted"))
    locks = RunLocks(Store(tmp_path))
    locks.prepare()
    with locks.acquire(every[7].slug):  # type: ignore[union-attr]
        found = survey(every, Store(tmp_path))
    assert found.done == [every[0]]
    assert found.failed == [every[2]]
    assert list(found.running) == [every[7].slug]
    assert found.missing == [every[i] for i in (1, 3, 4, 5, 6, 7)]

    asked: list[str] = []

    def pilot(job: RunJob) -> Cost | None:
        asked.append(job.slug)
        return Cost(3.0, 50 * MEBI, 1000, 0, "pilot", 1) if len(asked) == 1 else None

    plan = make_plan(found, tmp_path, 2, pilot)
    assert (plan.done, plan.failed, plan.running, plan.missing, plan.to_run) == (1, 1, 1, 5, 6)
    costs = [(len(g.runs), g.cost.seconds, g.cost.source) for g in plan.configurations]
    # A record of the same kind tells, whatever its name; else a pilot, of which the second fails.
    assert costs == [
        (1, 10.0, "records"),
        (1, 3.0, "pilot"),
        (2, 1.0, "records"),
        (2, None, "unknown"),
    ]
    assert plan.seconds == 15.0
    assert plan.memory == 2 * 100 * MEBI
    # Two checkpoints in float32 of weights, momentum and a second moment, for each slot.
    assert plan.configurations[0].cost.checkpoints == 2 * 4 * (3 * 1000 + 1000)
    assert plan.unknown == 2
    json.dumps(plan.to_json(), allow_nan=False)
    assert make_plan(found, tmp_path, 2, retry=True).to_run == 7


def test_records_of_other_hardware_are_no_measure(tmp_path: Path) -> None:
    every = runs(2, MODELS[:1])
    put(tmp_path, every[0], done(every[0], 10.0, environment={"device": "cpu", "cpu": "another"}))
    plan = make_plan(survey(every, Store(tmp_path)), tmp_path, 1)
    assert {group.cost.source for group in plan.configurations} == {"unknown"}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["model=test_resnet"], 6),
        (["model=test_*,seed<2"], 8),
        (["model!=test_resnet", "seed>=2"], 2),
        (["training.epochs=2,seed=1"], 2),
        (["dataset=digits"], 12),
        (["freeze=none", "pretrained=false"], 12),
        (["seed=0|2"], 8),
        (["training.momentum>=0.5,seed!=1"], 8),
    ],
)
def test_only(conditions: list[str], expected: int) -> None:
    assert len(select(runs(3), conditions)) == expected


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ("modle=x", "did you mean model"),
        ("model", "expected name=value"),
        ("model=absent", "no run"),
        ("model<3", "is not a number"),
        ("seed<x", "'x' is not a number"),
        ("seed=0,seed=1", "names seed twice"),
    ],
)
def test_only_is_checked(condition: str, text: str) -> None:
    with pytest.raises(UserError, match=text):
        select(runs(1), [condition])


@pytest.mark.slow
def test_a_hundred_thousand_records(tmp_path: Path) -> None:
    """A tenth of them here, in a tenth of the time; benchmarks/many_records.py has them all."""
    every = runs(2500)
    text = to_json(done(every[0], 10.0))
    for run in every[: len(every) - 100]:
        content = text.replace(every[0].digest, run.digest).encode()
        (tmp_path / f"{run.slug}.json").write_bytes(content)
    tracemalloc.start()
    begun = time.process_time()
    plan = make_plan(survey(every, Store(tmp_path)), tmp_path, 2)
    seconds = time.process_time() - begun
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (plan.done, plan.missing) == (9900, 100)
    # Tracing memory slows this down several times.
    assert seconds < 8
    assert used < 100 * MEBI


@pytest.mark.slow
def test_the_command_line_with_a_pilot(tmp_path: Path) -> None:
    suite = tmp_path / "suite.toml"
    suite.write_text(
        'summary = "One."\nseeds = 2\n[base]\nmodel = "test_resnet"\ndataset = "digits"\n'
        'metrics = ["top1"]\ntraining.epochs = 50\n'
    )
    command = [sys.executable, "-m", "rbench", "plan", str(suite), "--output", str(tmp_path / "o")]
    text = subprocess.run(
        [*command, "--json", "--device", "cpu"],
        capture_output=True,
        env=faulty_plugin.environment(),
        check=True,
    ).stdout
    plan = json.loads(text)
    (group,) = plan["configurations"]
    assert len(group["runs"]) == 2
    assert group["source"] == "pilot"
    # 50 epochs of 22 steps: more than the three steps of the pilot, less than a second for each.
    assert 5 < group["seconds_each"] < 1100
    assert group["memory_bytes"] > 100 * MEBI
    assert not (tmp_path / "o").exists()


def test_a_pilot_of_a_long_run_executes_a_small_part_of_it_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reconstruction of fifty photographs took its pilot twice as long as the run itself."""
    from rbench.runner import execute as runner

    fields = {"model": "rrvgg", "model_kwargs": {"width": 4}, "img_size": 32, "device": "cpu"}
    fields |= {"task": "reconstruction", "dataset": "photographs", "metrics": ["ssim"]}
    (run,), _ = resolve_each([RunSpec.model_validate(fields)], Catalog.from_environment())
    asked: list[int | None] = []
    made: list[Record] = []
    execute = runner.execute

    def counted(resolved: Resolved, execution: runner.Execution) -> Record:
        asked.append(execution.test_images)
        made.append(execute(resolved, execution))
        return made[-1]

    monkeypatch.setattr(runner, "execute", counted)
    short = pilot.measure(RunJob.of(run))
    assert asked == [pilot.WARM_UP_IMAGES, pilot.IMAGES]
    assert short.memory is not None
    assert short.memory > 100 * MEBI
    asked.clear()
    monkeypatch.setattr(pilot, "LONG", 0.0)
    long = pilot.measure(RunJob.of(run))
    assert asked == [pilot.WARM_UP_IMAGES]
    # Four of the eight photographs: their time counts twice, and their memory says nothing.
    times = [(p.seconds, 1 if p.name in pilot.FIXED else 2) for p in made[-1].timing]
    assert long.seconds == pytest.approx(sum(s * count for s, count in times), abs=1e-3)
    assert long.memory is None


def test_unknown_costs_are_not_zero_and_every_run_is_counted_once(tmp_path: Path) -> None:
    """Of four runs one failed and two are running; nothing is known of their cost."""
    suite = tmp_path / "suite.toml"
    suite.write_text(
        'summary = "Four."\nseeds = 4\n[base]\nmodel = "test_resnet"\ndataset = "digits"\n'
        'device = "cpu"\nmetrics = ["top1"]\n'
    )
    output = tmp_path / "out"
    which = SuiteSettings(device="cpu", output=output)
    every = suite_runs(str(suite), which, Catalog.from_environment()).runs
    put(output, every[0], RunJob.of(every[0]).failed("RuntimeError", "no"))
    locks = RunLocks(Store(output))
    locks.prepare()
    words = [str(suite), "--output", str(output), "--pilots", "0", "--device", "cpu"]
    with locks.acquire(every[1].slug), locks.acquire(every[2].slug):  # type: ignore[union-attr]
        said = CliRunner().invoke(app, ["plan", *words])
    assert said.exit_code == 0, said.output
    assert "4 runs: 0 done, 1 missing, 2 running now, 1 failed" in said.output
    assert "3 runs of unknown cost" in said.output
    assert " 0.0 " not in said.output
    retried = CliRunner().invoke(app, ["plan", *words, "--retry-failed", "--json"])
    assert json.loads(retried.output)["to_run"] == 4


def test_set_replaces_fields_under_the_names_of_run(tmp_path: Path) -> None:
    suite = tmp_path / "suite.toml"
    suite.write_text(
        'summary = "Two."\n[base]\ndataset = "digits"\n[[grid]]\n'
        'model = ["resnet_cifar", "test_resnet"]\n"training.epochs" = 9\n'
    )
    given = {"epochs": 3, "seed": 5, "model": "resnet_cifar", "model_kwargs": {"width": 4}}
    which = SuiteSettings(device="cpu", set=given)
    (run,) = suite_runs(str(suite), which, Catalog.from_environment()).runs
    assert run.training is not None
    assert run.training.epochs == 3
    assert (run.spec.seed, run.spec.model_kwargs) == (5, {"width": 4})
    with pytest.raises(UserError, match="--set: unknown field 'epoch'; did you mean epochs"):
        suite_runs(str(suite), SuiteSettings(set={"epoch": 3}), Catalog.from_environment())
