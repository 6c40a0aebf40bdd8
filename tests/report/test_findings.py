"""Sentences of the first screen, filled in from the points of a figure."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from rbench.errors import UserError
from rbench.records.record import Record
from rbench.report.leaderboard.build import read_pictures
from rbench.report.plot import draw, figures, items
from rbench.report.plot.records_of_suite import update_index
from rbench.spec import registry
from tests.helpers.synthetic_records import record


def grid() -> list[Record]:
    return [
        record(
            model,
            freeze,
            seed,
            {"top1": 80 + math.log2(e) * (freeze == "spatial") + seed},
            {"expansion": e} if model == "resnet_lc" else {},
        )
        for model, freeze, e in (
            ("plain", "none", 1),
            ("resnet_lc", "none", 1),
            ("resnet_lc", "spatial", 1),
            ("resnet_lc", "spatial", 64),
        )
        for seed in range(3)
    ]


def drawn(sentences: list[str], **fields: Any) -> Any:
    declared = {
        "name": "f",
        "kind": "curve",
        "x": "model.expansion",
        "y": "top1",
        "series": "freeze",
        "where": {"model": "resnet_lc"},
        "labels": {"spatial": "frozen random", "none": "learnable", "gone": "never run"},
        "reference": [{"label": "baseline", "where": {"model": "plain"}}],
        "front": 2,
        "findings": sentences,
        **fields,
    }
    (figure,) = figures([declared], "suite test")
    return draw(figure, items((one, None) for one in grid()))


def test_places_are_filled_with_means_and_what_is_missing_is_left_out() -> None:
    found = drawn(
        [
            "Frozen {frozen random} at E = {frozen random:x}, and {frozen random @ 1} at 1.",
            "Learnable {learnable}, plain {baseline}.",
            "Not there: {never run}.",
            "Nor at this place: {learnable @ 64}.",
        ]
    ).findings
    assert found == [
        "Frozen 87.00 ± 1.00 % at E = 64, and 81.00 ± 1.00 % at 1.",
        "Learnable 81.00 ± 1.00 %, plain 81.00 ± 1.00 %.",
        "Mean ± standard deviation over 3 seeds; classification · digits · recipe digits.",
    ]


def test_unknown_labels_are_errors() -> None:
    with pytest.raises(UserError, match="name the series 'frozen randm'; did you mean"):
        drawn(["{frozen randm}"])
    with pytest.raises(UserError, match="findings has no meaning for a figure of kind scatter"):
        drawn(["{frozen random}"], kind="scatter")


def test_they_reach_the_page_by_the_index(tmp_path: Path) -> None:
    made = drawn(["Frozen {frozen random}."])
    (tmp_path / made.file).write_bytes(made.content)
    update_index(tmp_path, "suite", [made])
    assert json.loads((tmp_path / "index.json").read_text())[0]["front"] == 2
    (picture,) = read_pictures(tmp_path)
    assert picture.front == 2
    assert picture.findings[0] == "Frozen 87.00 ± 1.00 %."


def test_a_file_that_another_suite_writes_over_is_listed_once(tmp_path: Path) -> None:
    made = drawn(["Frozen {frozen random}."])
    (tmp_path / made.file).write_bytes(made.content)
    for suite in ("reduced", "suite", "suite"):
        update_index(tmp_path, suite, [made])
    assert [picture.suite for picture in read_pictures(tmp_path)] == ["suite"]


def test_figures_of_the_registry_that_may_come_first_differ_in_rank() -> None:
    ranks = [
        figure["front"]
        for name in registry.names("suites")
        for figure in registry.read("suites", name).get("figure", [])
        if "front" in figure
    ]
    assert sorted(ranks) == list(range(1, len(ranks) + 1))
