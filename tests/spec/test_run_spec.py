from __future__ import annotations

import json

import pytest

from rbench.api import to_spec
from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.plugin.recipe import Training
from rbench.spec.resolve import Resolved, resolve
from rbench.spec.run_spec import RunSpec
from rbench.spec.suite_spec import SuiteSpec, assign


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.from_environment()


def resolved(catalog: Catalog, **fields: object) -> Resolved:
    return resolve(to_spec({"model": "resnet18", **fields}), catalog)


def test_fields_of_spec_and_recipe_stand_side_by_side() -> None:
    spec = to_spec({"model": "resnet18", "epochs": 3, "freeze_spatial": True, "freeze": "fc.*"})
    assert spec.training == {"epochs": 3}
    assert spec.freeze == ("fc.*", "spatial")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"epoch": 3}, "unknown field 'epoch'; did you mean epochs"),
        ({"seed": -1}, "seed = -1"),
        ({"img_size": 0}, "at least 1 pixel"),
        ({"limit": 0}, "limit = 0"),
        ({"init_scope": "most"}, "init_scope = 'most'"),
    ],
)
def test_a_wrong_field_is_one_line(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        to_spec({"model": "resnet18", **fields})
    assert "\n" not in str(caught.value)


def test_digest_covers_what_changes_numbers(catalog: Catalog) -> None:
    base = resolved(catalog).digest
    for change in (
        {"seed": 1},
        {"model": "resnet34"},
        {"model_kwargs": {"low_res": False}},
        {"freeze": "spatial"},
        {"init": "normal"},
        {"init": "normal", "init_kwargs": {"std": 0.5}},
        {"epochs": 2},
        {"metrics": ("top1",)},
        {"limit": 100},
        {"img_size": 16},
        {"amp": True},
        {"deterministic": True},
    ):
        assert resolved(catalog, **change).digest != base, change


def test_identity_is_what_json_gives_back(catalog: Catalog) -> None:
    identity = resolved(catalog, img_size=(16, 24)).identity
    assert json.loads(json.dumps(identity)) == identity


def test_digest_leaves_out_what_does_not(catalog: Catalog) -> None:
    base = resolved(catalog)
    for change in ({"workers": 7}, {"device": "cpu"}, {"epochs": 6}, {"amp": False}):
        assert resolved(catalog, **change).digest == base.digest, change


def test_seeds_and_models_share_a_protocol_and_recipes_do_not(catalog: Catalog) -> None:
    base = resolved(catalog).protocol
    assert resolved(catalog, seed=3, freeze="spatial", model="resnet34").protocol == base
    assert resolved(catalog, epochs=1).protocol != base


def test_what_a_task_compares_is_not_its_protocol(catalog: Catalog) -> None:
    def stylize(**options: object) -> Resolved:
        spec = to_spec({"model": "rrvgg", "task": "stylization", "task_kwargs": options})
        return resolve(spec, catalog)

    base, other = stylize(), stylize(method="gatys")
    assert other.protocol == base.protocol
    assert other.digest != base.digest


def test_every_flag_is_a_field_once() -> None:
    assert not set(RunSpec.model_fields) & set(Training.model_fields)


def test_suite_expands_the_product_of_its_axes_and_seeds() -> None:
    suite = SuiteSpec(
        name="s",
        summary="",
        seeds=2,
        base={"dataset": "digits", "model_kwargs.depth": 20},
        grid=[
            {"model": "a", "freeze": ["none", "spatial"]},
            {"model": "b", "model_kwargs.expansion": [1, 8], "freeze": "spatial"},
        ],
    )
    runs = suite.runs({"device": "cpu"})
    assert len(runs) == (2 + 2) * 2
    assert [run.seed for run in runs[:2]] == [0, 1]
    assert runs[-1].model_kwargs == {"depth": 20, "expansion": 8}
    assert {run.device for run in runs} == {"cpu"}


def test_a_suite_repeats_no_cell() -> None:
    suite = SuiteSpec(name="s", summary="", grid=[{"model": "a"}, {"model": ["a", "b"]}])
    assert [run.model for run in suite.runs()] == ["a", "b"]


def test_assign_leaves_the_tables_it_was_given_alone() -> None:
    shared = {"depth": 20}
    fields: dict[str, object] = {"model_kwargs": shared}
    assign(fields, "model_kwargs.width", 16)
    assert fields == {"model_kwargs": {"depth": 20, "width": 16}}
    assert shared == {"depth": 20}
