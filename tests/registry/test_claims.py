"""Every claim of every paper, on synthetic records: it holds, fails or stays open as it should.

The records are made from the claim's own conditions, filled up with the options that the named
components have: a claim whose conditions no run can meet, that cannot fail or that cannot hold
is an error of its declaration.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rbench.plugin.catalog import Catalog
from rbench.records.record import Record
from rbench.report.compare import Paper, papers, report
from rbench.report.compare.declaration import Claim
from rbench.report.leaderboard import from_records, make_tables
from rbench.spec.conditions import Condition, Where, matches
from tests.helpers.synthetic_records import digest, freeze_report, record

CATALOG = Catalog.from_environment()
CLAIMS = [(paper, claim) for paper in papers() for claim in paper.claim]
NAMES = [f"{paper.name}:{claim.id}" for paper, claim in CLAIMS]
CANDIDATES: list[Any] = [None, True, False, 1, 2, 3, 4, 8, 16, 64, "noise", "content", "1"]
CANDIDATES.append("!random_parameters+all")
Values = dict[str, float]


def one_of(wanted: Condition) -> Any:
    """A value that meets a condition."""
    parts = wanted if isinstance(wanted, list) else [wanted]
    plain = [p for p in parts if not isinstance(p, str) or not set("*?[<>!") & set(p)]
    if plain:
        return None if plain[0] in ("none", "") else plain[0]
    return next(value for value in CANDIDATES if matches(value, wanted))


def places(claim: Claim, where: Where) -> list[int]:
    """Values of x, from the condition on it where there is one."""
    assert claim.x is not None
    wanted = where.get(claim.x)
    if isinstance(wanted, list):
        return [value for value in wanted if isinstance(value, int)]
    return [value for value in (1, 2, 4, 8, 16, 32) if wanted is None or matches(value, wanted)]


def run(where: Where, at: dict[str, Any], seed: int, values: Values) -> Record:
    """A record whose columns are those that ``where`` asks for, and ``at``."""
    wanted = {column: one_of(condition) for column, condition in where.items()} | at
    made = record("x", seed=seed, values=dict(values))
    made.seed = made.resolved["seed"] = seed
    for kind in ("model", "task"):
        name = wanted.pop(kind, "resnet18" if kind == "model" else "classification")
        find = CATALOG.architecture if kind == "model" else CATALOG.task
        component: Any = find(name)
        filled = component.options.model_validate(getattr(component, "defaults", {}))
        options = filled.model_dump(mode="json")
        for column in [c for c in wanted if c.startswith(f"{kind}.")]:
            option = column.removeprefix(f"{kind}.")
            assert option in options, f"{name} has no option {option}"
            options[option] = wanted.pop(column)
        made.resolved[kind] = {"name": name, "revision": 1, "options": options}
    made.resolved["dataset"] = {"name": wanted.pop("dataset", "digits"), "options": {}}
    freeze = wanted.pop("freeze", None) or "none"
    made.resolved["freeze"], made.freeze = [freeze], freeze_report(freeze)
    assert not wanted, f"no run has the columns {sorted(wanted)}"
    made.digest = digest(made.resolved)
    return made


def spread(mean: float, count: int) -> Iterator[tuple[int, float]]:
    """A little noise, the same in its kind for every arm and not in its order."""
    for seed in range(count):
        yield seed, mean * (1 + 1e-4 * math.sin(7 * seed + mean))


def arms(paper: Paper, claim: Claim, level: Callable[[int, int], float]) -> list[Record]:
    """Records of both sides; ``level(side, place)`` is the metric's mean."""
    rule = paper.requirement(claim)
    sides = [claim.where] if claim.kind == "trend" else [claim.above, claim.below]
    found: dict[str, Record] = {}

    def add(where: Where, at: dict[str, Any], mean: float, metric: str) -> None:
        for seed, value in spread(mean, max(claim.seeds, 4)):
            values = {metric: value}
            if claim.below_metric:
                values[claim.below_metric] = level(1, 0) * value / mean
            if rule is not None:
                values.setdefault(rule.metric, max(rule.floor, rule.chance) * 1.1)
            one = run(where, at, seed, values)
            found[one.digest] = one

    for side, where in enumerate(sides):
        if not where:
            continue
        xs = places(claim, where) if claim.x else [None]
        for place, x in enumerate(xs):
            at = {} if x is None else {str(claim.x): x}
            add(where, at, level(side, place), claim.metric)
            if claim.minus:
                add({**where, **claim.minus}, at, BASE, claim.metric)
    return list(found.values())


BASE = 90.0


def levels(claim: Claim, good: bool) -> Callable[[int, int], float]:
    """Means that satisfy the claim, or violate it by a clear margin."""
    sign = 1 if good else -1
    if claim.kind == "trend":
        step = sign * (1 if claim.direction == "rises" else -1)
        return lambda side, place: BASE + (5.0 if claim.minus else 1.0) * step * (place + 1)
    if claim.kind == "slopes":
        factor = 1.5 if good else 0.8
        return lambda side, place: (
            BASE * ((claim.at_least or 1.0) * (1.2, 1.2 / factor)[side]) ** place
        )
    if claim.kind == "ratio":
        low, high = claim.at_least or 0.0, claim.at_most
        inside = low * 1.3 if high is None else math.sqrt(low * high)
        ratio = inside if good else low / 1.3
        return lambda side, place: BASE * (ratio, 1.0)[side]
    if claim.kind == "equivalence":
        away = claim.margin / BASE if claim.margin else (claim.at_most or 1.0) - 1
        return lambda side, place: BASE * (1.0 + (0.0 if good else 2 * away), 1.0)[side]
    gap = (claim.at_least or 0.0) + sign * 3.0
    return lambda side, place: BASE + (gap, 0.0)[side] - max(gap, 0.0)


def verdict(paper: Paper, claim: Claim, records: list[Record]) -> str:
    alone = paper.model_copy(update={"value": [], "claim": [claim]})
    (row,) = report(make_tables(from_records(records)), [alone]).claims
    return row.verdict


@pytest.mark.parametrize(("paper", "claim"), CLAIMS, ids=NAMES)
def test_a_claim_holds_and_fails(paper: Paper, claim: Claim) -> None:
    for good, expected in ((True, "holds"), (False, "does not hold")):
        records = arms(paper, claim, levels(claim, good))
        assert verdict(paper, claim, records) == expected


SAMPLES = {claim.kind: (paper, claim) for paper, claim in CLAIMS if not claim.exact}
TRAINED = [(paper, claim) for paper, claim in CLAIMS if claim.requires]


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_a_claim_in_noise_stays_open(kind: str) -> None:
    paper, claim = SAMPLES[kind]
    records = arms(paper, claim, levels(claim, True))
    shaken = itertools.cycle((1.9, 0.2, 1.4, 0.4, 1.1, 0.7, 0.3))
    for one in records:
        for metric in one.metrics:
            if metric.name == claim.metric:
                metric.value = (metric.value or 0.0) * next(shaken)
    for one in records:
        for metric in one.metrics:
            rule = paper.requirement(claim)
            if rule is not None and metric.name == rule.metric == claim.metric:
                metric.value = max(metric.value or 0.0, rule.floor + 1)
    assert verdict(paper, claim, records) == "within the noise"


@pytest.mark.parametrize(("paper", "claim"), TRAINED, ids=[f"{p.name}:{c.id}" for p, c in TRAINED])
def test_a_claim_about_training_is_not_judged_on_runs_that_have_not_learned(
    paper: Paper, claim: Claim
) -> None:
    rule = paper.requirement(claim)
    assert rule is not None
    records = arms(paper, claim, levels(claim, True))
    for level, reason in (
        (rule.chance + rule.above_chance / 2, "not judged: at chance"),
        (rule.floor * 0.9, "not judged: too short"),
    ):
        if rule.above_chance == 0:
            continue
        for one in records:
            for metric in one.metrics:
                if metric.name == rule.metric:
                    metric.value = level + one.seed * 1e-3
        assert verdict(paper, claim, records) == reason


@pytest.mark.slow
def test_few_seeds_do_not_decide() -> None:
    for paper, claim in CLAIMS:
        records = [r for r in arms(paper, claim, levels(claim, True)) if r.seed == 0]
        expected = "holds" if claim.exact else "not judged: too few seeds"
        assert verdict(paper, claim, records) == expected, claim.id


def test_runs_that_differ_in_another_option_are_not_mixed() -> None:
    """A second upsampling on one side, which the claim does not name."""
    (paper,) = (paper for paper in papers() if paper.name == "p2")
    claim = next(c for c in paper.claim if c.id == "fig4/frozen-rises-with-e")
    records = arms(paper, claim, levels(claim, True))
    records[0].resolved["model"]["options"]["shortcut"] = "identity"  # type: ignore[index,call-overload]
    records[0].digest = digest(records[0].resolved)
    made = report(make_tables(from_records(records)), [paper])
    row = next(row for row in made.claims if row.claim.id == claim.id)
    assert row.verdict == "not judged: runs differ in another option"
    assert "model.shortcut (conv, identity)" in row.results[0].text
