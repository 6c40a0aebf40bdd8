from __future__ import annotations

import json
import re
from typing import Any

import pytest
from scipy.stats import ttest_ind_from_stats
from typer.testing import CliRunner

from rbench.cli.app import app
from rbench.errors import UserError
from rbench.records.record import Record
from rbench.records.record import to_json as record_json
from rbench.report.compare import papers, report, reported_value, to_html, to_json, to_markdown
from rbench.report.compare.declaration import Paper
from rbench.report.compare.report import Report
from rbench.report.compare.select import fits
from rbench.report.leaderboard import from_records, make_tables
from rbench.report.leaderboard.stats import Sample, difference
from rbench.spec.parse import parse
from tests.helpers.synthetic_records import record


def paper(**fields: Any) -> Paper:
    return parse(Paper, {"name": "p", "title": "A <paper>", **fields}, "paper p")


VALUE = {
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


def test_reduced_protocols_are_not_comparable_and_say_why() -> None:
    (row,) = made(runs("net1", 90.0, dataset="svhn"), paper(value=[VALUE])).values
    assert row.verdict == "not comparable"
    assert row.departures == ("dataset svhn instead of digits",)
    (row,) = made(runs("other", 90.0), paper(value=[VALUE])).values
    assert row.verdict == "not measured"
    cut = [one.model_copy(update={"comparable": False}) for one in runs("net1", 90.0)]
    (row,) = made(cut, paper(value=[VALUE])).values
    assert row.verdict == "not comparable"


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
    assert row.verdict == f"{verdict} (one seed)"


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
    assert row.verdict == "holds in 1 of 2"
    somewhere = {**ORDER, "holds": "somewhere"}
    (row,) = made(records, paper(claim=[somewhere])).claims
    assert row.verdict == "holds"


def test_a_margin_and_a_tie() -> None:
    records = [*runs("a", 90.0), *runs("a", 91.0, "spatial")]
    (row,) = made(records, paper(claim=[{**ORDER, "at_least": 2.0}])).claims
    assert row.verdict == "does not hold"
    (row,) = made(records, paper(claim=[{**ORDER, "kind": "tie", "at_least": 1.5}])).claims
    assert row.verdict == "holds"
    (row,) = made(records, paper(claim=[{**ORDER, "kind": "tie", "at_least": 0.5}])).claims
    assert row.verdict == "does not hold"


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
    ],
)
def test_trends(means: list[float], direction: str, verdict: str) -> None:
    noisy = line(means)
    if verdict == "within the noise":
        noisy[-1].metrics[0].value = 78.0
    (row,) = made(noisy, paper(claim=[{**TREND, "direction": direction}])).claims
    assert row.verdict == verdict


def test_a_trend_of_a_gap() -> None:
    records = [*line([80, 85, 88]), *line([90, 90, 90], "none")]
    gap = {**TREND, "where": {"freeze": "none"}, "minus": {"freeze": "spatial"}}
    (row,) = made(records, paper(claim=[{**gap, "direction": "falls"}])).claims
    assert row.verdict == "holds"
    assert "−8.00" in row.results[0].text or "−8" in row.results[0].text


def test_evidence_of_one_seed_counts_and_says_so() -> None:
    records = [*runs("a", 90.0), *runs("a", 91.0, "spatial")]
    records += [record("b"), record("b", "spatial", values={"top1": 96.0})]
    (row,) = made(records, paper(claim=[ORDER])).claims
    assert row.verdict == "holds"
    records += [record("c"), record("c", "spatial", values={"top1": 90.0})]
    (row,) = made(records, paper(claim=[ORDER])).claims
    assert row.verdict == "holds in 2 of 3"
    (row,) = made(records[8:], paper(claim=[ORDER])).claims
    assert row.verdict == "holds in 1 of 2 (one seed)"


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
        *runs("deep", 80.0, options={"depth": 1}),
        *runs("deep", 70.0, options={"depth": 2}),
        *runs("flat", 80.0, options={"depth": 1}),
        *runs("flat", 80.0, options={"depth": 2}),
    ]
    claim = {**TREND, "where": {"model": "flat"}, "minus": {"model": "deep"}, "x": "model.depth"}
    (row,) = made(records, paper(claim=[claim])).claims
    assert row.verdict == "holds"


def test_an_order_of_two_gaps() -> None:
    """A gap is taken seed by seed on each side, then the two are compared."""
    records = [*runs("shallow", 90.0), *runs("shallow", 50.0, "spatial")]
    records += [*runs("deep", 95.0), *runs("deep", 85.0, "spatial")]
    claim = {
        **ORDER,
        "above": {"model": "shallow", "freeze": "none"},
        "below": {"model": "deep", "freeze": "none"},
        "minus": {"freeze": "spatial"},
        "each": [],
    }
    (row,) = made(records, paper(claim=[claim])).claims
    assert row.verdict == "holds"
    (result,) = row.results
    assert result.text.startswith("gap of shallow − gap of deep: +30")
    (row,) = made(records, paper(claim=[{**claim, "at_least": 31.0}])).claims
    assert row.verdict == "does not hold"
    (row,) = made(records[:-4], paper(claim=[claim])).claims
    assert row.verdict == "not measured"


def test_conditions() -> None:
    assert fits(8, ">=8")
    assert not fits(8, "<8")
    assert fits("resnet18", "resnet*")
    assert fits(3, [1, 3])
    assert not fits(None, 3)
    assert not fits("none", [])


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"value": [VALUE, VALUE]}, "stands twice"),
        ({"value": [{**VALUE, "protocol": "x"}]}, "there is no protocol x"),
        ({"claim": [{**TREND, "x": None}]}, "a trend needs where and x"),
        ({"claim": [{**ORDER, "above": {}}]}, "needs above and below"),
        ({"valu": []}, "did you mean value"),
    ],
)
def test_bad_declarations_are_one_clear_line(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as error:
        paper(**fields)
    assert "\n" not in str(error.value)


def test_markdown_html_and_json_say_the_same() -> None:
    records = [*runs("net1", 90.1), *runs("net1", 91.0, "spatial")]
    found = made(records, paper(value=[VALUE], claim=[ORDER]))
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
    assert counts == {1: 12, 2: 18, 3: 8, 4: 9}
    assert len(by_name["p2"].claim) >= 40
    assert reported_value("p2:table1/cifar10/lc128-frozen") == (91.89, 0.10)
    with pytest.raises(UserError, match="did you mean table1/cifar10/baseline"):
        reported_value("p2:table1/cifar10/basline")


def test_the_command(tmp_path: Any) -> None:
    for one in runs("resnet_cifar_20_16", 91.6):
        (tmp_path / f"{one.digest}.json").write_text(record_json(one))
    result = CliRunner().invoke(app, ["compare", "p2", "--records", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    assert {entry["paper"] for entry in json.loads(result.stdout)} == {"p2"}
    result = CliRunner().invoke(app, ["compare", "p7", "--records", str(tmp_path)])
    assert re.search("unknown suite or paper 'p7'", str(result.exception))
