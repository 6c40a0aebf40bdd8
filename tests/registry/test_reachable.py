"""What a suite compares with, its runs can reach; what they never meet is an error."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

import pytest

from rbench.plugin.catalog import Catalog
from rbench.report.compare.arms import lines, pairs
from rbench.report.compare.declaration import Claim, Paper, papers
from rbench.report.compare.papers_of_suite import papers_of
from rbench.report.compare.select import Measured
from rbench.report.leaderboard import from_records, make_tables
from rbench.spec import registry
from rbench.spec.conditions import holds
from rbench.spec.run_spec import RunSpec
from rbench.spec.suite_spec import read_suite
from tests.helpers.synthetic_records import digest, freeze_report, record

COMPARED = [name for name in registry.names("suites") if read_suite(name).compare]
OF_A_PAPER = [
    name for name in registry.names("suites") if name.startswith(("p1_fig", "p2_fig", "p2_table"))
]
WITHOUT_CLAIMS = {
    # Pictures, and what the papers say nothing about that a number could hold against.
    *("p1_fig8", "p1_fig8_reduced", "p1_fig9_17", "p1_fig12", "p1_fig12_reduced", "p1_fig13"),
    *("p1_fig13_reduced", "p1_fig16", "p2_fig7", "p2_fig7_reduced", "p2_fig9", "p2_fig9_reduced"),
    # Pictures of one network and one photograph: Fig 7a's runs judge their claims.
    *("p1_fig5", "p1_fig5_reduced", "p1_fig6", "p1_fig6_reduced"),
}


CATALOG = Catalog.from_environment()
PAPERS = papers()
compared_with = cache(papers_of)


@cache
def options(kind: str, name: str) -> dict[str, Any]:
    find = {"model": CATALOG.architecture, "task": CATALOG.task, "dataset": CATALOG.dataset}
    component: Any = find[kind](name)
    filled = component.options.model_construct(**getattr(component, "defaults", {}))
    return dict(filled.model_dump(mode="json"))


def chosen(kind: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Options as a run resolves them: some values of ``task_kwargs`` decide others."""
    if kind != "task":
        return {**options(kind, name), **given}
    component = CATALOG.task(name)
    return dict(component.options.model_validate(given).model_dump(mode="json"))


def identity(spec: RunSpec) -> dict[str, Any]:
    """The parts of a run's identity that conditions name, without looking at any data."""
    given = {"model": spec.model_kwargs, "task": spec.task_kwargs, "dataset": spec.dataset_kwargs}
    dataset = spec.dataset or CATALOG.task(spec.task).dataset
    names = {"model": spec.model, "task": spec.task, "dataset": dataset}
    parts: dict[str, Any] = {
        kind: {"name": names[kind], "options": chosen(kind, str(names[kind]), given[kind])}
        for kind in ("model", "task", "dataset")
    }
    parts["dataset"]["img_size"] = list(spec.img_size) if spec.img_size else None
    recipe = registry.find("recipes", spec.recipe)["training"] if spec.recipe else None
    return {
        **parts,
        "freeze": sorted(spec.freeze),
        "init": {"name": spec.init, "options": spec.init_kwargs} if spec.init else None,
        "training": {**recipe, **spec.training} if recipe else None,
    }


@cache
def entries(suite: str) -> list[Measured]:
    """The suite's runs as a leaderboard would have them, with every metric that is declared."""
    metrics = {m for p in PAPERS for m in _metrics(p)}
    records = []
    for spec in read_suite(suite).runs():
        made = record(seed=spec.seed, values=dict.fromkeys(sorted(metrics), 50.0 + spec.seed))
        made.resolved.update(identity(spec))
        made.resolved["seed"] = spec.seed
        made.digest, made.freeze = digest(made.resolved), freeze_report("+".join(spec.freeze))
        records.append(made)
    tables = make_tables(from_records(records))
    return [Measured(e, t.protocol, t.name) for t in tables for e in t.entries]


def _metrics(paper: Paper) -> set[str]:
    required = {rule.metric for rule in paper.requires.values()}
    others = {claim.below_metric for claim in paper.claim} - {""}
    return {one.metric for one in (*paper.value, *paper.claim)} | required | others


def reaches(claim: Claim, members: list[Measured], free: list[str]) -> bool:
    """Whether the runs hold what one result needs; how many seeds they have is not asked."""
    groups: dict[str, list[Measured]] = defaultdict(list)
    for one in members:
        groups[one.protocol].append(one)
    for group in groups.values():
        if claim.kind == "trend":
            found = lines(claim, claim.where, group, free)
            if any(len(line.arms) >= claim.points and not line.differ for line in found):
                return True
        elif claim.kind == "slopes":
            sides = [
                {ln.key: set(ln.arms) for ln in lines(claim, side, group, free) if not ln.differ}
                for side in (claim.above, claim.below)
            ]
            shared = sides[0].keys() & sides[1].keys()
            if any(len(sides[0][k] & sides[1][k]) >= claim.points for k in shared):
                return True
        elif any(not pair.differ for pair in pairs(claim, group, free)):
            return True
    return False


@pytest.mark.parametrize("name", COMPARED)
def test_a_suite_reaches_what_it_compares_with(name: str) -> None:
    found = entries(name)
    for paper in compared_with(name):
        assert paper.value or paper.claim, f"{name} names nothing of {paper.name}"
        for value in paper.value:
            for where in (value.where, {**value.where, **value.minus}):
                assert any(holds(where, one.get) for one in found), value.id
        for claim in paper.claim:
            assert reaches(claim, found, paper.free), claim.id


@pytest.mark.parametrize("name", [n for n in COMPARED if read_suite(n).protocol == "paper"])
def test_a_suite_of_the_papers_protocol_has_the_seeds_that_its_claims_need(name: str) -> None:
    runs = read_suite(name).runs()
    seeds = len({spec.seed for spec in runs})
    # A run of many random networks has a spread of its own.
    networks = max(int(spec.task_kwargs.get("networks", 1)) for spec in runs)
    few = [
        claim.id
        for paper in compared_with(name)
        for claim in paper.claim
        if not claim.exact and max(seeds, networks) < claim.seeds
    ]
    assert not few


def test_every_suite_of_a_figure_with_claims_names_them() -> None:
    missing = {name for name in OF_A_PAPER if name not in COMPARED} - WITHOUT_CLAIMS
    assert not missing
    assert set(registry.names("suites")) >= WITHOUT_CLAIMS


def test_every_claim_and_value_belongs_to_a_suite() -> None:
    """Table 4 prices the paper's own computers; nobody repeats that."""
    known = {p.name: p for p in PAPERS}
    reached: dict[str, set[str]] = defaultdict(set)
    for name in COMPARED:
        for paper in compared_with(name):
            reached[paper.name] |= {one.id for one in (*paper.value, *paper.claim)}
    for name, paper in known.items():
        everything = {one.id for one in (*paper.value, *paper.claim)}
        left = {i for i in everything - reached[name] if not i.startswith("table4/")}
        assert not left, name
