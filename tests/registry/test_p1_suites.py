"""The suites of P1: each expands to runs whose options are known and figures that are valid."""

from __future__ import annotations

from collections import defaultdict

import pytest

from rbench.plugin.catalog import Catalog
from rbench.report.plot import figures
from rbench.spec import registry
from rbench.spec.parse import parse
from rbench.spec.suite_spec import read_suite

FIGURES = [f"fig{n}" for n in ("5", "6", "7a", "7b", "7c", "8", "10a", "10b", "10c")]
FIGURES += ["fig11a", "fig11b", "fig12", "fig13"]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.from_environment()


@pytest.mark.parametrize("suffix", ["", "_reduced"])
@pytest.mark.parametrize("figure", FIGURES)
def test_cells_and_figures_are_valid(figure: str, suffix: str, catalog: Catalog) -> None:
    suite = read_suite(f"p1_{figure}{suffix}")
    assert suite.protocol == ("reduced" if suffix else "paper")
    assert suite.paper is not None
    assert figures(suite.figure, suite.name)
    task = catalog.task("reconstruction")
    assert suite.runs()
    for spec in suite.runs():
        architecture = catalog.architecture(spec.model)
        parse(architecture.options, {**architecture.defaults, **spec.model_kwargs}, suite.name)
        options = parse(task.options, spec.task_kwargs, suite.name)
        assert spec.task == "reconstruction"
        assert spec.dataset is not None
        dataset = catalog.dataset(spec.dataset)
        parse(dataset.options, spec.dataset_kwargs, suite.name)
        for metric in spec.metrics or ():
            catalog.metric(metric)
        assert (spec.recipe in registry.names("recipes")) == task.trains(options)


def test_the_paper_draws_30_networks_on_50_photographs_at_every_width() -> None:
    runs = read_suite("p1_fig7a").runs()
    widths = [2**n for n in range(2, 12)]
    found: dict[tuple[int, str], list[int]] = defaultdict(list)
    for run in runs:
        at = (run.model_kwargs["depth"], run.task_kwargs["dtype"])
        found[at].append(run.model_kwargs["width"])
    for depth in (1, 2):
        assert found[depth, "bfloat16"] == widths
        assert found[depth, "float32"] == widths[:5]
    assert {c.task_kwargs["networks"] for c in runs} == {30}
    assert {c.dataset_kwargs["images"] for c in runs} == {50}
    assert {c.img_size for c in runs} == {(224, 224)}


def test_figure_8_shows_cells_of_figure_7a() -> None:
    def runs(name: str) -> set[str]:
        return {run.model_dump_json() for run in read_suite(name).runs()}

    assert runs("p1_fig8") < runs("p1_fig7a")
    assert runs("p1_fig8_reduced") < runs("p1_fig7a_reduced")
