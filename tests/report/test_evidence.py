"""Which runs a comparison rests on: the paper's protocol, whole data, most seeds, one partner."""

from __future__ import annotations

from typing import Any

import pytest

from rbench.records.record import Record
from rbench.report.compare.report import ValueRow
from tests.helpers.synthetic_records import digest
from tests.report.test_compare import ORDER, VALUE, made, paper, runs


def arms(model: str, frozen: float, **fields: Any) -> list[Record]:
    return [*runs(model, 90.0, **fields), *runs(model, frozen, "spatial", **fields)]


def value_row(records: list[Record], declared: dict[str, Any]) -> ValueRow:
    (row,) = made(records, paper(value=[declared])).values
    return row


def test_a_claim_rests_on_the_papers_protocol_alone_where_it_was_measured() -> None:
    claim = {**ORDER, "paper": {"dataset": "digits"}}
    own, other = arms("a", 91.0), arms("a", 89.0, dataset="svhn")
    (row,) = made([*own, *other], paper(claim=[claim])).claims
    assert [result.verdict for result in row.results] == ["holds"]
    assert row.verdict == "holds"
    assert len(row.by_protocol) == 1
    (row,) = made(other, paper(claim=[claim])).claims
    assert row.verdict == "does not hold"


def test_runs_on_fewer_images_are_evidence_only_where_there_is_no_other() -> None:
    whole, cut = arms("a", 91.0), arms("b", 89.0, comparable=False)
    claim = {**ORDER, "protocol": {"training.epochs": 6}}
    found = made([*whole, *cut], paper(claim=[claim]))
    (row,) = found.claims
    assert [result.verdict for result in row.results] == ["holds"]
    assert row.departures == ()
    assert len(found.paper_protocols) == 1
    found = made(cut, paper(claim=[ORDER]))
    (row,) = found.claims
    assert row.verdict == "does not hold"
    assert row.departures == ("fewer training images",)
    assert not found.paper_protocols


@pytest.mark.parametrize("more", ["net1", "net2"])
def test_of_equally_near_configurations_the_one_with_most_seeds_gives_the_value(more: str) -> None:
    records = [
        one for name in ("net1", "net2") for one in runs(name, 90.0)[: 4 if name == more else 2]
    ]
    row = value_row(records, VALUE)
    assert row.network == more
    assert row.measured is not None
    assert row.measured.n == 4


@pytest.mark.parametrize("whole", ["net1", "net2"])
def test_whole_runs_give_the_value_before_more_seeds_on_fewer_images(whole: str) -> None:
    records = [
        one
        for name in ("net1", "net2")
        for one in runs(name, 90.0, comparable=name == whole)[: 2 if name == whole else 4]
    ]
    row = value_row(records, VALUE)
    assert row.network == whole
    assert row.departures == ()


GAP = {
    **{field: given for field, given in VALUE.items() if field not in ("error", "n")},
    "value": 2.0,
    "where": {"model": "net", "freeze": "none"},
    "minus": {"freeze": "spatial"},
}


def gap(records: list[Record]) -> float | None:
    """The mean of the gap that was measured; None where it was not."""
    measured = value_row(records, GAP).measured
    return None if measured is None else measured.mean


def test_a_gap_is_taken_within_one_protocol() -> None:
    """The other runs were measured on fewer test images, a column that the rest has not."""
    learnable = runs("net", 90.0)[:2]
    own = runs("net", 88.0, "spatial")[:2]
    other = runs("net", 70.0, "spatial")
    for one in other:
        one.resolved["limit_test"] = 100
        one.digest = digest(one.resolved)
    assert gap([*learnable, *other]) is None
    assert gap([*learnable, *own, *other]) == pytest.approx(2.0)


def test_a_gap_is_taken_between_networks_that_agree_in_all_else() -> None:
    learnable = runs("net", 90.0, options={"width": 16})[:2]
    own = runs("net", 88.0, "spatial", options={"width": 16})[:2]
    other = runs("net", 70.0, "spatial", options={"width": 8})
    assert gap([*learnable, *other]) is None
    assert gap([*learnable, *own, *other]) == pytest.approx(2.0)


def test_a_gap_is_taken_to_the_partner_with_most_seeds_in_common() -> None:
    learnable = runs("net", 90.0)[:2]
    own = runs("net_a", 88.0, "spatial")[:2]
    other = runs("net_b", 70.0, "spatial")[1:]
    wanted = {**GAP, "where": {**GAP["where"], "model": "net*"}}
    measured = value_row([*learnable, *own, *other], wanted).measured
    assert measured is not None
    assert measured.mean == pytest.approx(2.0)


def test_runs_may_differ_in_what_the_paper_leaves_free() -> None:
    records = [
        *runs("a", 90.0, options={"execution": "direct"}),
        *runs("a", 91.0, "spatial", options={"execution": "folded"}),
    ]
    claim = {**ORDER, "each": []}
    (row,) = made(records, paper(claim=[claim])).claims
    assert row.verdict == "not judged: runs differ in another option"
    (row,) = made(records, paper(claim=[claim], free=["model.execution"])).claims
    assert row.verdict == "holds"
