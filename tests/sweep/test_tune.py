from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import qmc

from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.records.record import read
from rbench.records.store import Store
from rbench.report.plot import draw, figures
from rbench.report.plot.records_of_suite import suite_items
from rbench.report.plot.tuning import tried_items, tuning_figures
from rbench.runner.execute import Execution
from rbench.spec.parse import parse
from rbench.spec.resolve import resolve
from rbench.spec.run_spec import RunSpec
from rbench.spec.suite_spec import SuiteSpec, read_suite
from rbench.spec.tune_spec import TuneSpec
from rbench.sweep.run_or_load import run_or_load
from rbench.sweep.tune import at_edge, tune, tuned_specs
from tests.conftest import Rbench

SUITE: dict[str, Any] = {
    "name": "tiny",
    "summary": "Two arms, three learning rates.",
    "seeds": 2,
    "base": {
        "model": "test_resnet",
        "dataset": "digits",
        "limit": 32,
        "val": 60,
        "device": "cpu",
        "training.epochs": 1,
        "training.batch_size": 8,
        "metrics": ["top1", "loss", "fgsm"],
        "metric_kwargs.fgsm.images": 20,
    },
    "grid": [{"freeze": ["none", "spatial"]}],
    "tune": {
        "select": "loss@val",
        "trials": 3,
        "axes": {"training.lr": {"low": 1e-6, "high": 1e-1}},
    },
    "figure": [
        {
            "name": "tuning",
            "kind": "curve",
            "x": "training.lr",
            "y": "loss",
            "series": "freeze",
            "where": {"measure_on": "val"},
            "xscale": "log",
        }
    ],
}


def suite(**changes: Any) -> SuiteSpec:
    return SuiteSpec.model_validate({**SUITE, **changes})


def test_the_points_are_scipys_scrambled_halton_sequence_on_each_scale() -> None:
    axes = {
        "training.lr": {"low": 0.001, "high": 1.0},
        "training.smoothing": {"low": 0.0, "high": 0.2, "scale": "linear"},
    }
    spec = TuneSpec.model_validate({"axes": axes, "select": "loss@val", "trials": 16, "seed": 5})
    unit = qmc.Halton(2, scramble=True, rng=np.random.default_rng(5)).random(16)
    points = np.array([[p["training.lr"], p["training.smoothing"]] for p in spec.points()])
    assert points[:, 0] == pytest.approx(10 ** (3 * unit[:, 0] - 3), rel=1e-3)
    assert points[:, 1] == pytest.approx(0.2 * unit[:, 1], rel=1e-3)
    # Evenly: one point in each sixteenth of the range of the first axis.
    assert sorted((unit[:, 0] * 16).astype(int)) == list(range(16))
    longer = TuneSpec.model_validate({"axes": axes, "select": "loss@val", "trials": 20, "seed": 5})
    assert longer.points()[:16] == spec.points()
    other = TuneSpec.model_validate({"axes": axes, "select": "loss@val", "trials": 16, "seed": 6})
    assert other.points() != spec.points()


@pytest.mark.parametrize(
    ("tuned", "message"),
    [
        ({"axes": {}, "trials": 2}, "axes"),
        ({"axes": {"lr": {"low": 1, "high": 2}}, "trials": 2}, "training.lr is one"),
        ({"axes": {"training.lr": {"low": 2, "high": 1}}, "trials": 2}, "below high"),
        ({"axes": {"training.lr": {"low": 0, "high": 1}}, "trials": 2}, "above 0 on a log scale"),
        ({"axes": {"training.lr": {"low": 1, "high": 2}}, "trials": 2, "select": "top1"}, "select"),
    ],
)
def test_a_table_that_makes_no_sense_is_one_line(tuned: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(SuiteSpec, {**SUITE, "tune": {"select": "loss@val", **tuned}}, "suite tiny")


def test_every_arm_has_the_same_trials_and_none_sees_the_test_split() -> None:
    trials = suite().trials()
    assert len(trials) == 6
    by_arm = [[t.point for t in trials if t.arm == arm] for arm in (0, 1)]
    assert by_arm[0] == by_arm[1] == suite().tune.points()  # type: ignore[union-attr]
    for trial in trials:
        assert trial.spec.measure_on == "val"
        assert trial.spec.metrics == ("loss",)
        assert trial.spec.training["lr"] == trial.point["training.lr"]
    with pytest.raises(UserError, match=r"base\.val = 0\.1"):
        suite(base={k: v for k, v in SUITE["base"].items() if k != "val"}).trials()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The records of the trials."""
    found = Store(tmp_path_factory.mktemp("tuned"))
    catalog = Catalog.from_environment()
    with pytest.raises(UserError, match="6 of 6 trials have no record"):
        tune(suite(), {}, found, catalog)
    for trial in suite().trials():
        run_or_load(resolve(trial.spec, catalog), found.output, Execution(folder=found.output))
    return found


@pytest.mark.slow
def test_each_arm_takes_its_best_value_and_the_record_says_how(store: Store) -> None:
    catalog = Catalog.from_environment()
    arms = tune(suite(), {}, store, catalog)
    assert [arm.name for arm in arms] == ["none", "spatial"]
    for arm in arms:
        tried = {t.values["training.lr"]: t.score for t in arm.tuning.tried}
        assert len(tried) == 3
        # Brute force: a loss, so the lowest.
        assert arm.tuning.score == min(s for s in tried.values() if s is not None)
        assert tried[arm.tuning.chosen["training.lr"]] == arm.tuning.score
        edge = arm.tuning.chosen["training.lr"] in (min(tried), max(tried))
        assert arm.tuning.at_edge == (["training.lr"] if edge else [])
    # In one epoch of 4 steps the largest rate is best, and it is at the edge.
    assert arms[0].tuning.at_edge == ["training.lr"]
    specs = tuned_specs(suite(), {}, store, catalog)
    assert [spec.seed for spec in specs] == [0, 1, 0, 1]
    assert all(spec.measure_on == "test" for spec in specs)
    run = run_or_load(resolve(specs[0], catalog), store.output, Execution(folder=store.output))
    assert run.record.tuning == arms[0].tuning
    assert run.record.spec["training"]["lr"] == arms[0].tuning.chosen["training.lr"]  # type: ignore[index,call-overload]
    assert "the tuned training.lr is at the edge of the values that were tried" in run.record.notes
    assert read(run.path).tuning == arms[0].tuning
    untuned = RunSpec.model_validate({**specs[0].model_dump(), "tuning": {}})
    assert resolve(untuned, catalog).digest == run.record.digest, "no part of the identity"


@pytest.mark.slow
def test_the_figure_shows_the_score_against_the_axis_by_arm(store: Store) -> None:
    found = suite_items(suite(), store.output)
    trials = [item for item in found if item.get("measure_on") == "val"]
    assert len(trials) == 6
    (figure,) = figures(SUITE["figure"], "tiny")
    drawn = draw(figure, found, "svg", None)
    assert drawn.records == 6
    assert drawn.content is not None


@pytest.mark.slow
def test_without_a_declaration_each_axis_has_a_figure_that_warns_of_edges(store: Store) -> None:
    plain = suite(figure=[])
    found = suite_items(plain, store.output)
    assert tuning_figures(suite(), figures(SUITE["figure"], "tiny")) == []
    (figure,) = tuning_figures(plain, [])
    drawn = draw(figure, found, "svg", None)
    assert drawn.records == 6
    arms = tune(plain, {}, store, Catalog.from_environment())
    expected = [
        f"warning: {arm.name}: best at {arm.tuning.chosen['training.lr']:g}, "
        "an end of what was tried"
        for arm in arms
        if arm.tuning.at_edge
    ]
    assert expected
    assert [note for note in drawn.notes if note.startswith("warning")] == expected
    # A folder that holds the tuned runs alone draws the same points, from what their records tell.
    told = found[0].record.model_copy(update={"tuning": arms[0].tuning})
    again = tried_items([replace(found[0], record=told)], plain.tune or pytest.fail("no [tune]"))
    # The folder may hold the tuned run of another test as well.
    trials = [i for i in found if i.get("arm") == arms[0].name and i.get("measure_on") == "val"]
    seen = [sorted((i.get("training.lr"), i.get("loss")) for i in part) for part in (again, trials)]
    assert seen[0] == seen[1]
    assert len({i.record.digest for i in again}) == len(again) == 3
    assert drawn.content is not None


@pytest.mark.slow
def test_a_trial_that_diverged_has_no_score(store: Store) -> None:
    catalog = Catalog.from_environment()
    diverging = {"training.lr": {"low": 1e35, "high": 1e38}}
    tuned = {**SUITE["tune"], "trials": 2, "axes": diverging}
    bad = suite(tune=tuned, grid=[{"freeze": "none"}])
    for trial in bad.trials():
        run = run_or_load(
            resolve(trial.spec, catalog), store.output, Execution(folder=store.output)
        )
        assert run.record.status == "failed"
    with pytest.raises(UserError, match="every trial of tiny failed"):
        tune(bad, {}, store, catalog)


def test_edges() -> None:
    axes = {"training.lr": {"low": 1, "high": 9}}
    spec = TuneSpec.model_validate({"axes": axes, "select": "loss@val", "trials": 3})
    points = [{"training.lr": x} for x in (2.0, 8.0, 4.0)]
    assert at_edge(spec, points, {"training.lr": 8.0}) == ["training.lr"]
    assert at_edge(spec, points, {"training.lr": 2.0}) == ["training.lr"]
    assert at_edge(spec, points, {"training.lr": 4.0}) == []


@pytest.mark.parametrize("name", ["p2_step_size_tuned", "p2_step_size_tuned_reduced"])
def test_the_registered_suites_give_six_arms_eight_learning_rates_each(name: str) -> None:
    found = read_suite(name)
    trials = found.trials({"data_dir": "somewhere"})
    assert len({trial.arm for trial in trials}) == len(found.names()) == 6
    assert len({trial.point["training.lr"] for trial in trials}) == 8
    assert len(trials) == 48
    assert len(set(found.names())) == 6


@pytest.mark.slow
def test_the_commands(rbench: Rbench, tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(
        """
summary = "tiny"
[base]
model = "test_resnet"
dataset = "digits"
limit = 32
val = 60
metrics = ["top1"]
training = {epochs = 1, batch_size = 8}
[tune]
select = "top1@val"
trials = 2
axes."training.lr" = {low = 0.01, high = 0.1}
""",
        encoding="utf-8",
    )
    assert "no record" in rbench("sweep", "tiny.toml", "--tuned", "--device", "cpu").stderr
    done = rbench("tune", "tiny.toml", "--device", "cpu", "--slots", "1")
    assert done.returncode == 0, done.stderr
    assert "training.lr=" in done.stdout
    assert "at the edge of what was tried" in done.stdout
    assert "rbench sweep tiny.toml --device cpu --slots 1 --tuned" in done.stderr
    done = rbench("sweep", "tiny.toml", "--tuned", "--device", "cpu", "--slots", "1")
    assert done.returncode == 0, done.stderr
    tuned = [r for f in (tmp_path / "results").glob("*.json") if (r := read(f)).tuning]
    assert len(tuned) == 1
