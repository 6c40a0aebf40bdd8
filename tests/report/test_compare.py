from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest
from scipy.stats import t, ttest_ind_from_stats, ttest_rel
from typer.testing import CliRunner

from rbench.cli.app import app
from rbench.errors import UserError
from rbench.records.record import Record
from rbench.records.record import to_json as record_json
from rbench.report.compare import (
    papers,
    report,
    reported_value,
    to_html,
    to_json,
    to_markdown,
    to_summary,
)
from rbench.report.compare.declaration import Paper
from rbench.report.compare.report import Report
from rbench.report.leaderboard import from_records, make_tables
from rbench.report.leaderboard.stats import Sample, Summary, difference
from rbench.spec.parse import parse
from rbench.spec.registry import known_data
from tests.helpers.synthetic_records import record


def paper(**fields: Any) -> Paper:
    return parse(Paper, {"name": "p", "title": "A <paper>", **fields}, "paper p")


VALUE: dict[str, Any] = {
    "id": "t1/a",
    "source": "Table 1",
    "metric": "top1",
    "value": 90.0,
    "error": 0.2,
    "n": 4,
    "where": {"model": "net*", "dataset": ["digits", "svhn"]},
    "protocol": {"training.epochs": 6},
    "paper": {"dataset": "digits"},
}


def runs(model: str, centre: float, freeze: str = "none", **fields: Any) -> list[Record]:
    spread = (-0.2, -0.1, 0.1, 0.2)
    return [
        record(model, freeze, seed, {"top1": centre + gap}, **fields)
        for seed, gap in enumerate(spread)
    ]


def made(records: list[Record], *declared: Paper) -> Report:
    return report(make_tables(from_records(records)), list(declared))


@pytest.mark.parametrize(
    ("centre", "verdict"), [(90.1, "agrees"), (89.8, "agrees"), (91.0, "differs")]
)
def test_values_of_the_papers_protocol_agree_or_differ(centre: float, verdict: str) -> None:
    (row,) = made(runs("net1", centre), paper(value=[VALUE])).values
    assert row.verdict == verdict
    assert row.protocol == "paper's"
    assert row.difference == pytest.approx(centre - 90)


def test_known_images_go_by_their_name_and_say_why_they_cannot_give_the_papers_value() -> None:
    one = record("net1", dataset="image_folder")
    content = next(c for c, name in known_data().items() if name == "cifar10-jpeg")
    data = {"name": "image_folder", "revision": 1, "content": content}
    resolved = one.resolved | {"dataset": data}
    declared = paper(value=[VALUE | {"where": {"model": "net*"}, "paper": {"dataset": "cifar10"}}])
    (row,) = made([one.model_copy(update={"resolved": resolved})], declared).values
    assert row.departures == (
        "dataset cifar10-jpeg instead of cifar10 "
        "(the same photographs with pixels that JPEG changed)",
    )


def test_reduced_protocols_are_not_comparable_and_say_why() -> None:
    (row,) = made(runs("net1", 90.0, dataset="svhn"), paper(value=[VALUE])).values
    assert row.verdict == "not comparable"
    assert row.departures == ("dataset svhn instead of digits",)
    assert row.protocol == "paper's, other data"
    (row,) = made(runs("other", 90.0), paper(value=[VALUE])).values
    assert row.verdict == "not measured"
    cut = [one.model_copy(update={"comparable": False}) for one in runs("net1", 90.0)]
    (row,) = made(cut, paper(value=[VALUE])).values
    assert row.verdict == "not comparable"
    assert row.protocol == "reduced"


def test_the_papers_protocol_is_preferred_to_a_reduced_one() -> None:
    records = [*runs("net1", 90.0), *runs("net1", 50.0, dataset="svhn")]
    (row,) = made(records, paper(value=[VALUE])).values
    assert row.verdict == "agrees"


ORDER = {
    "id": "c",
    "source": "Fig 1",
    "text": "frozen beats learnable",
    "kind": "order",
    "metric": "top1",
    "above": {"freeze": "spatial"},
    "below": {"freeze": "none"},
    "each": ["model"],
}


@pytest.mark.parametrize(("frozen", "verdict"), [(91.0, "holds"), (89.0, "does not hold")])
def test_orders(frozen: float, verdict: str) -> None:
    records = [*runs("a", 90.0), *runs("a", frozen, "spatial")]
    (row,) = made(records, paper(claim=[ORDER])).claims
    assert row.verdict == verdict
    one = [r for r in records if r.seed == 0]
    (row,) = made(one, paper(claim=[ORDER])).claims
    assert row.verdict == "not judged: too few seeds"


def test_protocols_that_disagree_are_told_apart() -> None:
    def said(*arms: tuple[str, float]) -> str:
        records = [
            one
            for dataset, frozen in arms
            for one in (
                *runs("a", 90.0, dataset=dataset),
                *runs("a", frozen, "spatial", dataset=dataset),
            )
        ]
        comparison = made(records, paper(claim=[ORDER]))
        (row,) = [line for line in to_summary(comparison).splitlines() if "frozen beats" in line]
        verdict = row.split(" | ")[-1].removesuffix(" |")
        assert verdict in to_markdown(comparison)
        return verdict

    assert said(("digits", 91.0), ("svhn", 89.0)) == "holds (digits); does not hold (svhn)"
    assert said(("digits", 91.0), ("svhn", 91.0)) == "holds"
    four = [("digits", 91.0), ("svhn", 89.0), ("cifar10", 91.0), ("cifar100", 91.0)]
    assert said(*four) == "holds in 3 of 4"


def test_evidence_nearest_to_the_papers_protocol_comes_first() -> None:
    records = [
        one
        for dataset in ("digits", "svhn")
        for one in (*runs("a", 90.0, dataset=dataset), *runs("a", 91.0, "spatial", dataset=dataset))
    ]
    for near, far in (("svhn", "digits"), ("digits", "svhn")):
        claim = {**ORDER, "paper": {"training.epochs": 75, "dataset": near}}
        (row,) = made(records, paper(claim=[claim])).claims
        first, second = row.results
        assert near in first.where
        assert far in second.where


def test_an_order_within_the_noise_and_one_that_holds_in_part() -> None:
    noisy = [
        record("b", "spatial", seed, {"top1": 90 + gap})
        for seed, gap in enumerate((0.9, -1.0, 1.1, -0.8))
    ]
    records = [*runs("b", 90.0), *noisy]
    (row,) = made(records, paper(claim=[ORDER])).claims
    assert row.verdict == "within the noise"
    records += [*runs("a", 90.0), *runs("a", 91.0, "spatial")]
    (row,) = made(records, paper(claim=[ORDER])).claims
    assert row.verdict == "holds in 1 of 2 (1 within the noise)"
    somewhere = {**ORDER, "holds": "somewhere"}
    (row,) = made(records, paper(claim=[somewhere])).claims
    assert row.verdict == "holds"
    records += [*runs("c", 90.0), *runs("c", 89.0, "spatial")]
    (row,) = made(records, paper(claim=[ORDER])).claims
    assert row.verdict == "holds in 1 of 3 (1 within the noise)"
    (row,) = made(records[8:], paper(claim=[ORDER])).claims
    assert row.verdict == "holds in 1 of 2"


def test_a_margin() -> None:
    records = [*runs("a", 90.0), *runs("a", 91.0, "spatial")]
    (row,) = made(records, paper(claim=[{**ORDER, "at_least": 2.0}])).claims
    assert row.verdict == "does not hold"


def test_noise_says_what_n_could_have_shown() -> None:
    noisy = [
        record("b", "spatial", seed, {"top1": 90 + gap})
        for seed, gap in enumerate((0.9, -1.0, 1.1, -0.8))
    ]
    (row,) = made([*runs("b", 90.0), *noisy], paper(claim=[ORDER])).claims
    gaps = [0.9 + 0.2, -1.0 + 0.1, 1.1 - 0.1, -0.8 - 0.2]
    half = t.ppf(0.975, 3) * np.std(gaps, ddof=1) / 2
    assert f"(n = 4 shows differences from {half:.4g} on)" in row.results[0].text


EQUIVALENCE = {**ORDER, "kind": "equivalence", "seeds": 3}


@pytest.mark.parametrize("centre", [90.0, 90.7, 90.9, 91.5, 93.0])
@pytest.mark.parametrize("margin", [1.0, 2.0])
def test_equivalence_is_two_one_sided_tests(centre: float, margin: float) -> None:
    """Against scipy's one-sided paired tests."""
    records = [*runs("a", 90.0)]
    gaps = (0.3, -0.3, 0.1, -0.1)
    records += [
        record("a", "spatial", seed, {"top1": centre + gap}) for seed, gap in enumerate(gaps)
    ]
    a = np.array([centre + gap for gap in gaps])
    b = 90.0 + np.array([-0.2, -0.1, 0.1, 0.2])
    below = ttest_rel(a, b + margin, alternative="less").pvalue
    above = ttest_rel(a, b - margin, alternative="greater").pvalue
    (row,) = made(records, paper(claim=[{**EQUIVALENCE, "margin": margin}])).claims
    assert (row.verdict == "holds") == (max(below, above) < 0.05)
    if row.verdict == "does not hold":
        assert ttest_rel(a, b + margin).pvalue < 0.05
        assert centre - 90 > margin


def test_a_ratio() -> None:
    records = [*runs("a", 90.0), *runs("a", 45.0, "spatial")]
    ratio = {**ORDER, "kind": "ratio"}
    for limits, verdict in (
        ({"at_least": 0.4, "at_most": 0.6}, "holds"),
        ({"at_least": 0.6}, "does not hold"),
        ({"at_most": 0.4}, "does not hold"),
        ({"at_most": 0.6}, "holds"),
    ):
        (row,) = made(records, paper(claim=[{**ratio, **limits}])).claims
        assert row.verdict == verdict
        assert " / " in row.results[0].text


def test_a_ratio_of_runs_of_many_networks_has_the_interval_of_the_delta_method() -> None:
    one = Sample({0: 0.2})
    one.within_run = Summary(30, 0.2, 0.05, 0.05 / 30**0.5, 0.2, 0.2)
    logs = one.logarithm()
    assert logs == {0: math.log(0.2)}
    assert logs.within_run is not None
    assert logs.within_run.std == pytest.approx(0.25)
    rng = np.random.default_rng(0)
    drawn = np.log(rng.normal(0.2, 0.005, 200_000))
    one.within_run = Summary(30, 0.2, 0.005, 0.005 / 30**0.5, 0.2, 0.2)
    assert one.logarithm().within_run.std == pytest.approx(drawn.std(), rel=0.01)  # type: ignore[union-attr]


def test_slopes_are_compared_in_ratio() -> None:
    """Growth from 10 to 40 is steeper than from 100 to 200, though it is less."""
    records = [
        one
        for freeze, means in (("spatial", (10, 20, 40)), ("none", (100, 141, 200)))
        for one in line(list(means), freeze)
    ]
    claim = {**ORDER, "kind": "slopes", "x": "model.expansion", "each": []}
    (row,) = made(records, paper(claim=[claim])).claims
    assert row.verdict == "holds"
    turned = {**claim, "above": claim["below"], "below": claim["above"]}
    (row,) = made(records, paper(claim=[turned])).claims
    assert row.verdict == "does not hold"


def test_a_claim_is_judged_only_on_arms_that_have_learned() -> None:
    rule = {"metric": "top1", "chance": 10, "above_chance": 5, "floor": 80, "source": "x"}
    claim = {**ORDER, "requires": "r"}
    for arms, verdict in (
        ((11.0, 12.0), "not judged: at chance"),
        ((60.0, 61.0), "not judged: too short"),
        ((12.0, 91.0), "not judged: at chance"),
        ((90.0, 91.0), "holds"),
    ):
        records = [*runs("a", arms[0]), *runs("a", arms[1], "spatial")]
        (row,) = made(records, paper(claim=[claim], requires={"r": rule})).claims
        assert row.verdict == verdict


def test_two_metrics_of_the_same_runs() -> None:
    records = [
        record("a", seed=seed, values={"top1": 90.0 + gap, "top5": 90.2 + gap})
        for seed, gap in enumerate((0.1, 0.2, 0.3, 0.4))
    ]
    claim = {
        **{k: v for k, v in EQUIVALENCE.items() if k != "below"},
        "above": {"model": "a"},
        "below_metric": "top5",
        "at_most": 1.01,
    }
    (row,) = made(records, paper(claim=[claim])).claims
    assert row.verdict == "holds"
    assert "top1 / top5" in row.results[0].text


TREND = {
    "id": "t",
    "source": "Fig 2",
    "text": "rises with E",
    "kind": "trend",
    "metric": "top1",
    "where": {"freeze": "spatial"},
    "x": "model.expansion",
}


def line(means: list[float], freeze: str = "spatial") -> list[Record]:
    return [
        one
        for place, mean in enumerate(means)
        for one in runs("lc", mean, freeze, options={"expansion": 2**place})
    ]


@pytest.mark.parametrize(
    ("means", "direction", "verdict"),
    [
        ([80, 85, 88, 90], "rises", "holds"),
        ([80, 85, 88, 90], "falls", "does not hold"),
        ([90, 88, 85, 80], "falls", "holds"),
        ([80, 95, 70, 90], "rises", "does not hold"),
        ([80, 85, 82, 80.01], "rises", "within the noise"),
        # A rank correlation of exactly 0.8, the least that counts.
        ([81, 80, 84, 83, 88], "rises", "holds"),
    ],
)
def test_trends(means: list[float], direction: str, verdict: str) -> None:
    noisy = line(means)
    if verdict == "within the noise":
        noisy[-1].metrics[0].value = 78.0
    (row,) = made(noisy, paper(claim=[{**TREND, "direction": direction}])).claims
    assert row.verdict == verdict


def test_a_gap_as_a_reported_range() -> None:
    """Learnable minus frozen, the text prints 1.6 to 1.9."""
    value = {k: v for k, v in VALUE.items() if k not in ("error", "n")}
    gap = {
        **value,
        "value": 1.6,
        "at_most": 1.9,
        "tolerance": 0.5,
        "where": {"model": "net1", "freeze": "none"},
        "minus": {"freeze": "spatial"},
    }
    for frozen, verdict, distance in (
        (88.3, "agrees", 0.0),
        (87.8, "agrees", 0.3),
        (85.0, "differs", 3.1),
    ):
        records = [*runs("net1", 90.0), *runs("net1", frozen, "spatial")]
        (row,) = made(records, paper(value=[gap])).values
        assert row.verdict == verdict
        assert row.difference == pytest.approx(distance)
    (row,) = made(runs("net1", 90.0), paper(value=[gap])).values
    assert row.verdict == "not measured"


def test_a_trend_of_a_gap() -> None:
    records = [*line([80, 85, 88]), *line([90, 90, 90], "none")]
    gap = {**TREND, "where": {"freeze": "none"}, "minus": {"freeze": "spatial"}}
    (row,) = made(records, paper(claim=[{**gap, "direction": "falls"}])).claims
    assert row.verdict == "holds"
    assert "−8.00" in row.results[0].text or "−8" in row.results[0].text


def test_evidence_of_one_seed_does_not_count() -> None:
    records = [*runs("a", 90.0), *runs("a", 91.0, "spatial")]
    records += [record("b"), record("b", "spatial", values={"top1": 96.0})]
    (row,) = made(records, paper(claim=[ORDER])).claims
    assert row.verdict == "holds"
    records += [record("c"), record("c", "spatial", values={"top1": 90.0})]
    (row,) = made(records, paper(claim=[ORDER])).claims
    assert row.verdict == "holds"
    (row,) = made(records[8:], paper(claim=[ORDER])).claims
    assert row.verdict == "not judged: too few seeds"


def test_a_claims_departures_are_those_of_the_runs_that_it_was_judged_on() -> None:
    """Shorter runs that are not judged do not make the judged ones look shorter, too."""
    judged = runs("net", 91.0, "spatial", dataset="svhn") + runs("net", 90.0, dataset="svhn")
    few = [record("net", f, 0, {"top1": 50.0}, dataset="cifar10") for f in ("spatial", "none")]
    declared = paper(claim=[{**ORDER, "paper": {"dataset": "digits"}}])
    (row,) = made([*judged, *few], declared).claims
    assert [result.verdict for result in row.results] == ["holds", "not judged: too few seeds"]
    assert row.departures == ("dataset svhn instead of digits",)
    (row,) = made(few, declared).claims
    assert row.departures == ("dataset cifar10 instead of digits",)


def test_runs_that_differ_in_an_option_that_no_side_names_are_not_compared() -> None:
    records = [*runs("a", 90.0), *runs("a", 91.0, "spatial")]
    for one in records[4:]:
        one.resolved["init"] = {"name": "orthogonal", "options": {}}
        one.digest = one.digest[::-1]
    claim = {**ORDER, "each": []}
    (row,) = made(records, paper(claim=[claim])).claims
    assert row.verdict == "not judged: runs differ in another option"
    assert "init (, orthogonal)" in row.results[0].text
    (row,) = made(records, paper(claim=[{**claim, "free": ["init"]}])).claims
    assert row.verdict == "holds"


def test_arms_of_one_name_are_told_apart_by_what_the_claim_names() -> None:
    records = [*runs("a", 90.0), *runs("a", 91.0)]
    for one, method in zip(records, ["gatys"] * 4 + ["fvt"] * 4, strict=True):
        one.resolved["task"] = {"name": "t", "revision": 1, "options": {"method": method}}
        one.digest = f"{one.digest}{method}"
    sides = {"above": {"task.method": "fvt"}, "below": {"task.method": "gatys"}}
    (row,) = made(records, paper(claim=[{**ORDER, **sides}])).claims
    assert row.results[0].text.startswith("a, method fvt − a, method gatys: +1 [")


def test_one_run_of_many_networks_is_judged_over_those() -> None:
    """P1's protocol: thirty networks in a record, so that one seed has a spread of its own."""

    def wide(model: str, freeze: str, mean: float) -> Record:
        one = record(model, freeze, values={"top1": mean})
        (metric,) = one.metrics
        metric.n, metric.uncertainty = 30, 2.0
        metric.uncertainty_kind = "standard deviation over networks"
        return one

    (row,) = made(
        [wide("a", "none", 60.0), wide("a", "spatial", 63.0)], paper(claim=[ORDER])
    ).claims
    assert row.verdict == "holds"
    expected = ttest_ind_from_stats(63.0, 2.0, 30, 60.0, 2.0, 30, equal_var=False)
    gap = difference(Sample({0: 1.0}), Sample({0: 2.0}))
    assert gap is not None
    assert gap.low is None
    a, b = (
        make_tables(from_records([wide("a", "none", mean)]))[0].entries[0].values["top1"]
        for mean in (63.0, 60.0)
    )
    gap = difference(a, b)
    assert gap is not None
    assert gap.p == pytest.approx(expected.pvalue)
    near = [wide("a", "none", 60.0), wide("a", "spatial", 60.3)]
    (row,) = made(near, paper(claim=[ORDER])).claims
    assert row.verdict == "within the noise"


def test_a_gap_to_another_network() -> None:
    records = [
        *(r for d in (1, 2, 3) for r in runs("deep", 90.0 - 10 * d, options={"depth": d})),
        *(r for d in (1, 2, 3) for r in runs("flat", 80.0, options={"depth": d})),
    ]
    claim = {**TREND, "where": {"model": "flat"}, "minus": {"model": "deep"}, "x": "model.depth"}
    (row,) = made(records, paper(claim=[claim])).claims
    assert row.verdict == "holds"


TWO_GAPS = {
    **ORDER,
    "above": {"model": "shallow", "freeze": "none"},
    "below": {"model": "deep", "freeze": "none"},
    "minus": {"freeze": "spatial"},
    "each": [],
}


def two_gaps(reference: float) -> list[Record]:
    """The gap of a shallow network to its ``reference``, and a gap of 10 of a deep one."""
    shallow = [*runs("shallow", 90.0), *runs("shallow", reference, "spatial")]
    return [*shallow, *runs("deep", 95.0), *runs("deep", 85.0, "spatial")]


def test_an_order_of_two_gaps() -> None:
    """A gap is taken seed by seed on each side, then the two are compared."""
    records = two_gaps(50.0)
    (row,) = made(records, paper(claim=[TWO_GAPS])).claims
    assert row.verdict == "holds"
    (result,) = row.results
    assert result.text.startswith("gap of shallow − gap of deep: +30")
    (row,) = made(records, paper(claim=[{**TWO_GAPS, "at_least": 31.0}])).claims
    assert row.verdict == "does not hold"
    (row,) = made(records[:-4], paper(claim=[TWO_GAPS])).claims
    assert row.verdict == "not measured"


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"value": [VALUE, VALUE]}, "used twice"),
        ({"value": [{**VALUE, "protocol": "x"}]}, "there is no protocol x"),
        ({"claim": [{**TREND, "x": None}]}, "a trend needs where and x"),
        ({"claim": [{**ORDER, "above": {}}]}, "needs above and below"),
        ({"claim": [{**ORDER, "requires": "x"}]}, "there is no requirement x"),
        ({"claim": [{**ORDER, "kind": "ratio"}]}, "needs at_least or at_most"),
        ({"claim": [{**EQUIVALENCE, "seeds": 2, "margin": 1.0}]}, "needs seeds = 3"),
        ({"claim": [EQUIVALENCE]}, "needs margin, or at_most"),
        ({"claim": [{**ORDER, "margin": 1.0}]}, "margin .* kind order, only for equivalence"),
        ({"claim": [{**TREND, "at_least": 1.0}]}, "at_least has no meaning for a claim of kind"),
        ({"valu": []}, "did you mean value"),
    ],
)
def test_bad_declarations_are_one_clear_line(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as error:
        paper(**fields)
    assert "\n" not in str(error.value)


def test_markdown_html_and_json_say_the_same() -> None:
    records = [*runs("net1", 90.1), *runs("net1", 91.0, "spatial")]
    value = {**VALUE, "where": {**VALUE["where"], "freeze": "none"}}
    found = made(records, paper(value=[value], claim=[ORDER]))
    text = to_markdown(found)
    assert "1 of 1 reported values measured: 1 agrees." in text
    twice = [{**ORDER, "id": name} for name in ("c", "d")]
    several = to_markdown(made([*runs("a", 90.0), *runs("a", 91.0, "spatial")], paper(claim=twice)))
    assert "2 of 2 claims measured: 2 hold." in several
    assert "A &lt;paper&gt;" in text
    page = to_html(found)
    assert "A &lt;paper&gt;" in page
    assert ">agrees</span>" in page
    listed = json.loads(json.dumps(to_json(found), allow_nan=False))
    assert [entry["verdict"] for entry in listed] == ["agrees", "holds"]


def test_the_shipped_papers_hold_every_table_cell() -> None:
    by_name = {one.name: one for one in papers()}
    ids = [value.id for value in by_name["p2"].value]
    counts = {table: sum(i.startswith(f"table{table}/") for i in ids) for table in (1, 2, 3, 4)}
    assert counts == {1: 12, 2: 18, 3: 8, 4: 11}
    assert len(by_name["p2"].claim) >= 40
    assert reported_value("p2:table1/cifar10/lc128-frozen") == (91.89, 0.10)
    with pytest.raises(UserError, match="did you mean table1/cifar10/baseline"):
        reported_value("p2:table1/cifar10/basline")


def test_the_command(tmp_path: Any) -> None:
    for one in runs("resnet_cifar_20_16", 91.6):
        (tmp_path / f"{one.digest}.json").write_text(record_json(one))
    result = CliRunner().invoke(app, ["compare", "p2", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    assert {entry["paper"] for entry in json.loads(result.stdout)} == {"p2"}
    result = CliRunner().invoke(app, ["compare", "p7", str(tmp_path)])
    assert re.search("unknown suite or paper 'p7'", str(result.exception))
    result = CliRunner().invoke(app, ["compare", "p2", "--records", str(tmp_path)])
    assert f"rbench compare SUITE {tmp_path}" in str(result.exception)
    result = CliRunner().invoke(app, ["compare", str(tmp_path), "--json"])
    assert {entry["paper"] for entry in json.loads(result.stdout)} >= {"p1", "p2"}
