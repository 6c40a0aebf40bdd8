"""Run files, recipe files and suite files name a field in the same way."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.spec import registry
from rbench.spec.resolve import resolve
from rbench.spec.suite_spec import SuiteSpec, full_name, read_suite
from tests.conftest import Rbench

FIELDS = "epochs = 2\nbatch_size = 32\nlr = 0.1\n"


@pytest.mark.parametrize("head", ["", "[training]\n"])
def test_the_same_lines_in_all_three_files(rbench: Rbench, tmp_path: Path, head: str) -> None:
    (tmp_path / "recipe.toml").write_text(head + FIELDS)
    (tmp_path / "run.toml").write_text('model = "test_resnet"\n' + head + FIELDS)
    base = head.replace("[", "[base.") or "[base]\n"
    (tmp_path / "suite.toml").write_text(
        f'summary = "S."\n[base]\nmodel = "test_resnet"\n{base.replace("[base]", "")}{FIELDS}'
    )
    recipe = rbench("run", "--model", "test_resnet", "--recipe", "recipe.toml", "--dry-run")
    run = rbench("run", "-c", "run.toml", "--dry-run")
    plan = rbench("plan", "suite.toml", "--pilots", "0")
    assert (recipe.returncode, run.returncode, plan.returncode) == (0, 0, 0), plan.stderr
    training = {"epochs": 2, "batch_size": 32, "lr": 0.1}
    assert registry.recipe_fields(registry.find("recipes", str(tmp_path / "recipe.toml"))) == (
        training
    )
    (spec,) = read_suite(str(tmp_path / "suite.toml")).runs()
    assert spec.training == training
    found = resolve(spec, Catalog.from_environment())
    assert found.training is not None
    assert (found.training.epochs, found.training.lr) == (2, 0.1)


def test_axes_and_overrides_by_either_name() -> None:
    suite = SuiteSpec(
        name="s",
        summary="S.",
        base={"model": "resnet10t", "training.epochs": 1, "lr": 0.5},
        grid=[{"epochs": [2, 3], "training.lr": 0.25}],
    )
    assert [(c.training["epochs"], c.training["lr"]) for c in suite.runs()] == [
        (2, 0.25),
        (3, 0.25),
    ]
    (only,) = suite.runs({"training.epochs": 4})
    assert only.training["epochs"] == 4


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("suite.toml", "suite suite.toml, [base]: unknown field 'epoch'; did you mean epochs"),
        ("grid.toml", "suite grid.toml, [[grid]]: unknown field 'modell'; did you mean model"),
        ("recipe.toml", "recipe recipe: unknown field 'epoch'; did you mean epochs"),
        ("run.toml", "run.toml: unknown field 'epoch'; did you mean epochs"),
    ],
)
def test_a_wrong_key_is_named_with_its_file_and_the_nearest(
    rbench: Rbench, tmp_path: Path, file: str, line: str
) -> None:
    texts = {
        "suite.toml": 'summary = "S."\n[base]\nmodel = "resnet10t"\nepoch = 3\n',
        "grid.toml": 'summary = "S."\n[base]\nmodel = "resnet10t"\n[[grid]]\nmodell = "a"\n',
        "recipe.toml": "epoch = 3\n",
        "run.toml": 'model = "resnet10t"\nepoch = 3\n',
    }
    (tmp_path / file).write_text(texts[file])
    words = {
        "recipe.toml": ("run", "--model", "resnet10t", "--recipe", "recipe.toml"),
        "run.toml": ("run", "-c", "run.toml"),
    }
    done = rbench(*words.get(file, ("plan", file)))
    assert done.returncode == 2
    assert line in done.stderr


def test_new_suite_writes_a_file_that_runs(rbench: Rbench, tmp_path: Path) -> None:
    done = rbench("new-suite", "mine")
    assert done.returncode == 0, done.stderr
    assert "rbench plan mine.toml" in done.stdout
    plan = rbench("plan", "mine.toml", "--pilots", "0")
    assert plan.returncode == 0, plan.stderr
    assert "mine.toml: 8 runs" in plan.stdout
    assert len(read_suite(str(tmp_path / "mine.toml")).figure) == 1
    again = rbench("new-suite", "mine")
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_every_registered_recipe_and_suite_reads() -> None:
    for name in registry.names("recipes"):
        assert registry.recipe_fields(registry.find("recipes", name))["epochs"] >= 1
    with pytest.raises(UserError, match="x: unknown field 'y'"):
        full_name("y.z", "x")
