"""The suites of P2: each expands to runs whose model, options and metrics are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbench.plugin.catalog import Catalog
from rbench.report.plot import figures
from rbench.spec import registry
from rbench.spec.parse import parse
from rbench.spec.run_spec import RunSpec
from rbench.spec.suite_spec import read_suite

NAMES = [name for name in registry.names("suites") if name.startswith("p2_")]
TABLES_AND_FIGURES = (
    *(f"fig{n}" for n in ("1a", "1b", "4", "5", "6a", "6b", "7", "8a", "8b", "9", "10", "11")),
    *("table1", "table2", "table3"),
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.from_environment()


def test_every_table_and_figure_has_its_suite_and_a_reduced_one() -> None:
    for item in (*TABLES_AND_FIGURES, "step_size"):
        assert f"p2_{item}" in NAMES
        assert f"p2_{item}_reduced" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_cells_and_figures_are_valid(name: str, catalog: Catalog) -> None:
    suite = read_suite(name)
    runs = suite.runs()
    assert runs
    assert suite.protocol == ("reduced" if name.endswith("_reduced") else suite.protocol)
    assert (suite.protocol == "paper") == (name.removeprefix("p2_") in TABLES_AND_FIGURES)
    assert figures(suite.figure, name)
    for spec in runs:
        architecture = catalog.architecture(spec.model)
        parse(architecture.options, {**architecture.defaults, **spec.model_kwargs}, name)
        assert spec.dataset is not None
        catalog.dataset(spec.dataset)
        for metric in spec.metrics or ():
            catalog.metric(metric)
        assert spec.recipe in registry.names("recipes")


def models(runs: list[RunSpec]) -> set[str]:
    return {run.model_dump_json(exclude={"seed"}) for run in runs}


def test_figures_of_the_same_networks_share_their_cells() -> None:
    def runs(name: str) -> set[str]:
        return models(read_suite(name).runs())

    assert runs("p2_fig5") == runs("p2_fig4")
    assert runs("p2_fig10") == runs("p2_fig11") == runs("p2_fig8a")
    assert runs("p2_fig9") < runs("p2_fig8a")
    assert runs("p2_table1_reduced") < runs("p2_fig4_reduced")


def test_the_grid_of_figure_4() -> None:
    runs = read_suite("p2_fig4").runs()
    assert len(runs) == 4 * (2 + 2 * 9)
    assert {run.seed for run in runs} == {0, 1, 2, 3}
    assert {run.recipe for run in runs} == {"lowres"}


def test_a_cell_of_each_low_resolution_suite_resolves(catalog: Catalog, tmp_path: Path) -> None:
    from PIL import Image

    from rbench.spec.resolve import resolve

    for split in ("train", "test"):
        for label in "ab":
            folder = tmp_path / split / label
            folder.mkdir(parents=True)
            Image.new("RGB", (32, 32)).save(folder / "0.png")
    for name in NAMES:
        suite = read_suite(name)
        overrides = {"data_dir": str(tmp_path), "device": "cpu", "dataset": "image_folder"}
        resolved = resolve(suite.runs(overrides)[-1], catalog)
        assert resolved.training is not None
        if suite.protocol == "paper" and resolved.recipe == "lowres":
            assert (resolved.training.epochs, resolved.training.lr) == (75, 0.01)


def columns(spec: RunSpec, catalog: Catalog) -> dict[str, object]:
    """The columns of a run's record that declarations of papers ask for."""
    architecture = catalog.architecture(spec.model)
    options = parse(architecture.options, {**architecture.defaults, **spec.model_kwargs}, "test")
    found = {f"model.{name}": value for name, value in options.model_dump().items()}
    return {
        **found,
        "model": spec.model,
        "freeze": spec.freeze[0],
        "dataset": spec.dataset,
        "task": spec.task,
    }


def test_suites_cover_everything_that_the_paper_reports(catalog: Catalog) -> None:
    """Of every value and claim, both sides have a run in a suite of the paper's protocol."""
    from rbench.spec.conditions import matches

    runs = [
        columns(spec, catalog)
        for name in NAMES
        if not name.endswith("_reduced")
        for spec in read_suite(name).runs({"seed": 0})
    ]
    paper = registry.read("papers", "p2")
    wanted = [
        (entry["id"], entry[side])
        for entry in [*paper["value"], *paper["claim"]]
        for side in ("where", "above", "below")
        if side in entry
    ]
    assert len(wanted) > 60
    for name, where in wanted:
        assert any(
            all(matches(run.get(column), value) for column, value in where.items()) for run in runs
        ), f"no suite runs {name}: {where}"


def test_controls_do_not_pass_for_the_paper(catalog: Catalog) -> None:
    """The step-size control's runs match no condition of the paper's."""
    from rbench.spec.conditions import matches

    controls = [
        columns(spec, catalog)
        for spec in read_suite("p2_step_size").runs({"seed": 0})
        if spec.model_kwargs.get("gram") == "expected" or "grad_scale_as_lc" in spec.model_kwargs
    ]
    assert len(controls) == 32
    paper = registry.read("papers", "p2")
    for entry in [*paper["value"], *paper["claim"]]:
        for side in ("where", "above", "below"):
            if "model" in entry.get(side, {}):
                assert not any(
                    all(matches(run.get(column), value) for column, value in entry[side].items())
                    for run in controls
                ), entry["id"]
