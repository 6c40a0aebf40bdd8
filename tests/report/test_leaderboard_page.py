from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys
from typer.testing import CliRunner

from rbench.cli.app import app
from rbench.files import write_atomically
from rbench.records.record import Artifact, Record, to_json
from rbench.report.leaderboard import Baseline, build, from_records, make_tables, stale, write
from rbench.report.leaderboard.build import between, read_pictures
from rbench.report.leaderboard.page import Picture, to_html
from rbench.report.leaderboard.page_data import link
from tests.helpers import browser
from tests.helpers.synthetic_records import hostile, many, record

needs_browser = pytest.mark.skipif(bool(browser.missing()), reason=browser.missing() or "-")
PIXEL = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f"
    b"\x15\xc4\x89\x00\x00\x00\rIDATx\x9cc\xf8\xff\xff?\x00\x05\xfe\x02\xfe\xa7\x9a\xa0\xa0\x00"
    b"\x00\x00\x00IEND\xaeB`\x82"
)


def demo() -> list[Record]:
    found = []
    for model, learnable, frozen in (
        ("resnet18", 97.0, 95.0),
        ("resnet50", 98.4, 98.3),
        ("resnet_lc_20_16x128", 97.0, 98.2),
        ("resnet_cifar_20_16", 97.7, 90.0),
    ):
        for freeze, centre in (("none", learnable), ("spatial", frozen)):
            for seed, gap in enumerate((0.2, -0.1, 0.3, -0.4)):
                turned = -gap if freeze == "spatial" else gap
                found.append(
                    record(
                        model,
                        freeze,
                        seed,
                        {"top1": centre + turned, "fgsm": centre / 2},
                        artifacts=[Artifact(file="p/filters.png", caption="filters")],
                    )
                )
    return found


def page_of(records: list[Record], **fields: Any) -> str:
    baselines = [Baseline(("resnet_lc_*",), ("resnet_cifar_*",), ("depth",))]
    return to_html(make_tables(from_records(records), baselines), "records/", **fields)


def test_the_page_is_the_same_in_any_order() -> None:
    records = [*demo(), *hostile()]
    shuffled = random.Random(2).sample(records, len(records))
    assert page_of(records) == page_of(shuffled)


def test_the_page_names_no_address_to_load() -> None:
    text = page_of(demo(), pictures=[Picture("f", "A figure", "image/png", PIXEL)])
    body = re.sub(r"(?s)<script type=module>.*?</script>", "", text)
    assert not re.search(r"""(?:src|srcset|data|poster)=["']?(?!data:)[^"'> ]*[/.]""", body)
    assert "http" not in body.replace("http-equiv", "")
    assert "@import" not in body
    assert "url(" not in body


def test_links_stay_inside_the_records() -> None:
    assert link("records/", "a/b c.json") == "records/a/b%20c.json"
    assert link("records/", "javascript:alert(1)") == "records/javascript%3Aalert%281%29"
    for path in ("../x", "/etc/passwd", "a/../../b", "a\\b", "", "a\x00b"):
        assert link("records/", path) is None
    assert link("", "a.json") is None


def test_files_are_written_checked_and_cleared(tmp_path: Path) -> None:
    tables = make_tables(from_records(demo()))
    files = build(tables, "records/")
    write(tmp_path, files)
    assert stale(tmp_path, files) == []
    (tmp_path / "tables" / "mine.txt").write_text("kept")
    (tmp_path / "tables" / "gone-123.csv").write_text("old")
    assert files["first.md"].startswith("**3 networks on digits, 6 epochs.** resnet50")
    (table,) = [name for name in files if name.startswith("tables/") and name.endswith(".md")]
    (tmp_path / table).write_text("edited")
    assert stale(tmp_path, files) == sorted([table, "tables/gone-123.csv"])
    write(tmp_path, files)
    assert stale(tmp_path, files) == []
    assert (tmp_path / "tables" / "mine.txt").exists()
    assert between(tmp_path, tmp_path / "records") == "records/"
    assert between(tmp_path / "out", tmp_path) == "../"


def test_the_command_writes_and_checks(tmp_path: Path) -> None:
    records, out = tmp_path / "records", tmp_path / "out"
    for one in demo():
        write_atomically(records / f"{one.digest}.json", to_json(one))
    run = CliRunner().invoke
    printed = run(app, ["leaderboard", str(records), "--top", "2"])
    assert "6 more rows are in the CSV" in printed.stdout
    words = ["leaderboard", str(records), "--output", str(out)]
    assert run(app, [*words, "--check"]).exit_code == 1
    done = run(app, words)
    assert done.exit_code == 0, done.output
    assert run(app, [*words, "--check"]).exit_code == 0
    (out / "index.html").write_text("x")
    again = run(app, [*words, "--check"])
    assert again.exit_code == 1
    assert "stale" in again.stderr
    assert read_pictures(out / "figures") == []


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with browser.chromium() as found:
        yield found


def show(driver: Any, folder: Path, text: str) -> None:
    """Open the page; it must have drawn its tables without a word on the console."""
    path = folder / "index.html"
    path.write_text(text, encoding="utf-8")
    browser.requests(driver)
    driver.get(f"file://{path}")
    deadline = time.monotonic() + 20
    while not driver.execute_script("return document.documentElement.dataset.ready"):
        assert time.monotonic() < deadline, driver.get_log("browser")
        time.sleep(0.05)
    assert driver.get_log("browser") == []
    assert browser.requests(driver) == [f"file://{path}"]


def css(driver: Any, selector: str) -> list[Any]:
    return list(driver.find_elements("css selector", selector))


def soon(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def networks(driver: Any) -> list[str]:
    return [element.text for element in css(driver, ".board tbody th")]


def head(driver: Any, title: str) -> Any:
    return next(h for h in css(driver, ".board thead th") if h.text.startswith(title))


@pytest.mark.slow
@needs_browser
def test_sorting_searching_and_columns_in_a_browser(driver: Any, tmp_path: Path) -> None:
    show(driver, tmp_path, page_of(demo()))
    first = networks(driver)
    assert first[0] == "resnet50"
    assert len(first) == 8
    handle = css(head(driver, "top1"), ".dt-column-order")[0]
    handle.send_keys(Keys.ENTER)
    handle.send_keys(Keys.ENTER)
    # Sorting is done in a later turn of the browser's loop.
    soon(lambda: head(driver, "top1").get_attribute("aria-sort") == "ascending")
    assert networks(driver)[0] == "resnet_cifar_20_16"
    search = css(driver, ".dt-search input")[0]
    search.send_keys("lc_20")
    assert networks(driver) == ["resnet_lc_20_16x128"] * 2
    search.send_keys("zzz")
    assert css(driver, ".board tbody td")[0].text == "No row fits the search"
    search.clear()
    search.send_keys(" ", Keys.BACKSPACE)
    css(driver, ".choice summary")[0].send_keys(Keys.ENTER)
    titles = [h.text for h in css(driver, ".board thead th")]
    box = next(b for b in css(driver, ".choice label") if b.text.startswith("fgsm"))
    css(box, "input")[0].send_keys(Keys.SPACE)
    assert abs(len(css(driver, ".board thead th")) - len(titles)) == 1
    assert driver.get_log("browser") == []


@pytest.mark.slow
@needs_browser
def test_rows_show_seeds_controls_records_and_command(driver: Any, tmp_path: Path) -> None:
    show(driver, tmp_path, page_of(demo()))
    strips = css(driver, "svg.strip")
    assert len(strips) == 8
    assert "seed 0" in strips[0].get_attribute("aria-label")
    assert len(css(strips[0], "circle")) == 4
    words = {e.text for e in css(driver, ".board .word")}
    assert {"better", "worse", "within the noise"} <= words
    button = css(driver, "button.open")[0]
    button.send_keys(Keys.ENTER)
    assert button.get_attribute("aria-expanded") == "true"
    detail = css(driver, ".more")[0]
    assert "rbench run --model resnet50" in detail.text
    assert "torch" in detail.text
    addresses = [a.get_attribute("href") for a in css(detail, "a")]
    assert any(a.endswith(".json") for a in addresses)
    assert any(a.endswith("/records/p/filters.png") for a in addresses)
    button.send_keys(Keys.ENTER)
    assert not css(driver, ".more")


@pytest.mark.slow
@needs_browser
def test_every_control_has_a_name_and_every_table_a_caption(driver: Any, tmp_path: Path) -> None:
    picture = Picture("f", "Accuracy", "image/png", PIXEL, "suite")
    show(driver, tmp_path, page_of(demo(), pictures=[picture]))
    unnamed = driver.execute_script(
        """return [...document.querySelectorAll('button,a,input,select,summary,img,svg')].filter(
        e => !(e.textContent.trim() || e.getAttribute('aria-label') || e.alt
        || (e.labels && e.labels.length))).map(e => e.outerHTML)"""
    )
    assert unnamed == []
    assert all(t.get_attribute("scope") for t in css(driver, "table th"))
    assert driver.execute_script("return document.documentElement.lang") == "en"
    assert len(css(driver, ".board caption")) == 1
    assert css(driver, "figure img")[0].get_attribute("naturalWidth") == "1"
    driver.find_element("css selector", "body").send_keys(Keys.TAB)
    assert driver.switch_to.active_element.text.startswith("Skip")


@pytest.mark.slow
@needs_browser
def test_dark_and_phone(tmp_path: Path) -> None:
    with browser.chromium(390, 800, dark=True) as phone:
        show(phone, tmp_path, page_of([*demo(), *hostile()]))
        wide, seen = phone.execute_script(
            "return [document.documentElement.scrollWidth, innerWidth]"
        )
        assert wide <= seen == 390
        color = "return getComputedStyle(document.body).backgroundColor"
        dark = phone.execute_script(color)
        css(phone, "#theme")[0].click()
        assert phone.execute_script(color) != dark
        sizes = phone.execute_script(
            "return [...document.querySelectorAll('button.open')].map(b => b.offsetHeight)"
        )
        assert min(sizes) >= 24


@pytest.mark.slow
@needs_browser
def test_hostile_records_neither_run_nor_break_the_page(driver: Any, tmp_path: Path) -> None:
    pictures = [Picture("x", "<script>window.hacked=1</script>", "image/png", PIXEL)]
    show(driver, tmp_path, page_of([*demo(), *hostile()], pictures=pictures))
    for button in css(driver, "button.open"):
        driver.execute_script("arguments[0].click()", button)
    search = css(driver, ".dt-search input")[0]
    search.send_keys("<img src=x onerror=window.hacked=1>")
    search.clear()
    search.send_keys(" ", Keys.BACKSPACE)
    time.sleep(0.3)
    assert driver.execute_script("return window.hacked") is None
    assert driver.get_log("browser") == []
    assert browser.requests(driver) == []
    width = driver.execute_script("return document.documentElement.scrollWidth")
    assert width <= 1280
    scripts = driver.execute_script(
        "return document.querySelectorAll('.board script, .board img, svg:not(.strip)').length"
    )
    assert scripts == 0
    for a in css(driver, ".more a"):
        assert a.get_attribute("href").startswith("file:///")


@needs_browser
@pytest.mark.slow
def test_two_thousand_rows_open_and_sort(driver: Any, tmp_path: Path) -> None:
    text = page_of(many(8000, protocols=1))
    assert text.count('"rank"') == 2000
    assert len(text.encode()) < 5e6
    # How long it takes is measured in benchmarks/leaderboard.py: under a second.
    show(driver, tmp_path, text)
    driver.execute_async_script(
        """const done = arguments[0];
           const head = [...document.querySelectorAll('.board thead th')].find(
             h => h.textContent.startsWith('top1'));
           head.querySelector('.dt-column-order').click();
           head.querySelector('.dt-column-order').click();
           const look = () => head.getAttribute('aria-sort') === 'ascending'
             ? done() : setTimeout(look, 1);
           look()"""
    )
    cells = driver.execute_script(
        """const heads = [...document.querySelectorAll('.board thead th')];
           const place = heads.findIndex(h => h.textContent.startsWith('top1'));
           return [...document.querySelectorAll('.board tbody tr')].map(
             row => row.children[place].textContent)"""
    )
    shown = [float(cell.split()[0]) for cell in cells]
    assert len(shown) == 50
    assert shown == sorted(shown)
