"""The page in a browser: its first screen, columns that fit, two rows compared."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rbench.records.record import MetricValue, Record, to_json
from rbench.report.diff import compared, load, select
from rbench.report.leaderboard import from_records, make_tables, read_rows
from rbench.report.leaderboard.page import Picture, to_html
from tests.helpers import browser
from tests.helpers.synthetic_records import record
from tests.report.test_leaderboard_page import PIXEL, css, needs_browser, show

pytestmark = [needs_browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with browser.chromium(1400, 900) as found:
        yield found


def page_of(records: list[Record], **fields: Any) -> str:
    return to_html(make_tables(from_records(records)), "records/", **fields)


def noisy(model: str, seeds: range, centre: float, draw: random.Random) -> list[Record]:
    found = []
    for seed in seeds:
        values = {
            "top1": centre + draw.gauss(0, 1),
            "loss": draw.random() / 1e4,
            "ties": 50.0,
            "parameters": 2_089_314.0 if model == "a" else 272_474.0,
            **({"only_a": 1.0} if model == "a" else {}),
        }
        made = record(model, seed=seed, values=values)
        made.metrics[1].higher_is_better = None
        made.metrics[3].higher_is_better = False
        made.metrics[3].unit = ""
        found.append(made)
    return found


def networks(model: str, mean: float, std: float) -> Record:
    """One run that measured 30 random networks."""
    made = record(model)
    made.metrics = [
        MetricValue(name="ssim", value=mean, higher_is_better=True, n=30, uncertainty=std,
                    uncertainty_kind="standard deviation over networks", over="networks")
    ]  # fmt: skip
    return made


CASES = {
    "all seeds shared": (range(8), range(8)),
    "some seeds shared": (range(8), range(3, 12)),
    "no seed shared": (range(5), range(5, 12)),
    "two seeds": (range(2), range(2)),
    "one seed": (range(1), range(1)),
    "one seed against many": (range(1), range(4)),
    "many seeds": (range(200), range(200)),
}


def chosen(driver: Any) -> dict[str, Any]:
    """Choose the rows a and b, in this order: what the page says of each metric."""
    for name in ("a", "b"):
        (row,) = (r for r in css(driver, ".board tbody tr") if css(r, "th")[0].text == name)
        css(row, "input.chosen")[0].click()
    return {
        css(row, "th")[0].text.partition(" (")[0]: row
        for row in css(driver, ".comparison tbody tr")
    }


@pytest.mark.parametrize("case", CASES)
def test_two_rows_differ_as_rbench_diff_says(driver: Any, tmp_path: Path, case: str) -> None:
    draw = random.Random(case)
    records = [
        *noisy("a", CASES[case][0], 80, draw),
        *noisy("b", CASES[case][1], 81, draw),
        record("c", values={"top1": 3.0}),
    ]
    check(driver, tmp_path, records, {"only a"})


def test_runs_of_many_networks_differ_as_rbench_diff_says(driver: Any, tmp_path: Path) -> None:
    check(driver, tmp_path, [networks("a", 0.7, 0.1), networks("b", 0.75, 0.2)], set())


def close(found: float | None, wanted: float | None, rel: float, least: float) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return bool(found == pytest.approx(wanted, rel=rel, abs=least))


def check(driver: Any, folder: Path, records: list[Record], lone: set[str]) -> None:
    for one in records:
        (folder / f"{one.spec['model']}-{one.seed}.json").write_text(to_json(one))
    loaded = load([folder])
    first, second = select("model=a", loaded), select("model=b", loaded)
    wanted = compared(first, second)
    show(driver, folder, to_html(make_tables(read_rows(folder)), "records/"))
    rows = chosen(driver)
    assert rows.keys() == {name.replace("_", " ") for name in wanted} | lone
    for name, gap in wanted.items():
        assert gap is not None
        row = rows[name.replace("_", " ")]
        got = json.loads(row.get_attribute("data-gap"))
        assert (got["n"], got["paired"]) == (gap.n, gap.paired)
        scale = max(abs(gap.value), abs(gap.low or 0), abs(gap.high or 0), 1e-6)
        for key in ("value", "low", "high", "smallest"):
            assert close(got[key], getattr(gap, key), 1e-7, 1e-7 * scale), key
        assert close(got["p"], gap.p, 1e-5, 1e-12)
        assert css(row, ".word")[0].text == gap.word(first.metrics[name])
    for name in lone:
        assert css(rows[name], ".word")[0].text == "no value in one of them"
    panel = css(driver, ".comparison")[0].text
    assert "model.name\na → b" in panel
    # The command that it shows names the same two.
    a, b = css(driver, ".comparison pre")[0].text.split()[2:4]
    assert select(a, loaded) == first
    assert select(b, loaded) == second
    if "parameters" in rows:
        shown = [cell.text for cell in css(rows["parameters"], "td")]
        if shown[3] != "n = 1":
            assert shown[:4] == ["2.09 M", "272 k", "−1.82 M", "the same for every seed"]


def test_a_third_row_takes_the_place_of_the_first(driver: Any, tmp_path: Path) -> None:
    show(driver, tmp_path, page_of([record(m, seed=s) for m in "abc" for s in range(2)]))
    boxes = css(driver, "input.chosen")
    boxes[0].click()
    assert "Choose a second row" in css(driver, ".compared")[0].text
    boxes[1].click()
    boxes[2].click()
    assert [box.is_selected() for box in boxes] == [False, True, True]
    assert "A\nb, none" in css(driver, ".comparison")[0].text
    css(driver, ".comparison button")[0].click()
    assert not css(driver, ".comparison")
    assert not any(box.is_selected() for box in boxes)


def test_the_widest_table_fits_or_says_so(driver: Any, tmp_path: Path) -> None:
    names = [f"a_metric_of_a_long_name_{place}" for place in range(25)]
    records = [
        record(f"resnet{model}", values={name: model + 10.0 * p for p, name in enumerate(names)})
        for model in range(3)
    ]
    show(driver, tmp_path, page_of(records))
    inner, outer = driver.execute_script(
        "const s = document.querySelector('.board .scroll'); return [s.scrollWidth, s.clientWidth]"
    )
    assert inner <= outer
    shown = len(css(driver, ".board thead th"))
    everything = len(css(driver, ".choice label")) + 1
    counter = css(driver, ".counter")[0]
    assert counter.text.startswith(f"{shown} of {everything} columns shown")
    assert 6 < shown < everything
    css(counter, "button")[0].click()
    assert len(css(driver, ".board thead th")) == everything
    assert not css(counter, "button")[0].is_displayed()


def test_what_all_rows_share_is_said_once(driver: Any, tmp_path: Path) -> None:
    records = [record(m, values={"top1": v, "size": 7.0}) for m, v in (("a", 1.0), ("b", 2.0))]
    show(driver, tmp_path, page_of(records))
    assert "The same in all rows: size 7.00 %; frozen none; learns 272 k." in (
        css(driver, ".board")[0].text
    )
    assert not [h for h in css(driver, ".board thead th") if h.text.startswith("size")]


def test_the_first_screen_says_what_was_found(driver: Any, tmp_path: Path) -> None:
    pictures = [
        Picture("other", "Other", "image/png", PIXEL, front=2, findings=("Not this.",)),
        Picture("family", "Family", "image/png", PIXEL, "suite", 1, ("A <b>plain</b> sentence.",)),
    ]
    show(driver, tmp_path, page_of([record("a"), record("b")], pictures=pictures, docs="docs/"))
    found = css(driver, ".found")[0]
    assert "A <b>plain</b> sentence." in found.text
    assert "Not this." not in found.text
    assert css(found, "img")[0].get_attribute("alt") == "Family"
    assert css(driver, ".figures img")[0].get_attribute("alt") == "Other"
    assert found.rect["y"] + found.rect["height"] < 900
    assert css(driver, "header a[href='docs/']")[0].text == "Documentation"
    assert css(driver, "nav h2")[0].text == "Classification"


def test_without_figures_it_says_who_leads(driver: Any, tmp_path: Path) -> None:
    show(driver, tmp_path, page_of([record("a", values={"top1": v}) for v in (91.0,)]))
    assert "a, learnable leads: top1 91.00 %, alone so far." in css(driver, ".found")[0].text
