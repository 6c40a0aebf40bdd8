"""Headings in words, groups by question, the order of tables, and what the runs took."""

from __future__ import annotations

import subprocess
import sys

import pytest
from jinja2 import UndefinedError

from rbench.plugin.catalog import Catalog
from rbench.records.record import Phase, Record
from rbench.report.html import render
from rbench.report.leaderboard import from_records, make_tables
from rbench.report.leaderboard.cost import made_on
from rbench.report.leaderboard.entries import Table
from rbench.report.leaderboard.titles import Words, entitle, ordered
from tests.helpers.synthetic_records import digest, record


def tables(records: list[Record]) -> list[Table]:
    return make_tables(from_records(records))


def of(
    seed: int = 0, model: str = "resnet18", task: str = "classification", **given: object
) -> Record:
    """A record whose identity is changed by ``given``, and its protocol with it."""
    made = record(model, seed=seed, protocol=digest([task, sorted(map(str, given.items()))])[:12])
    images = int(str(given.pop("trained_images", 8000)))
    made.resolved = {**made.resolved, "task": {"name": task, "options": {}}, **given}
    made.timing = [Phase(name="train", seconds=1.0, images=images, images_per_second=1.0)]
    made.digest = digest([made.resolved, seed])
    return made


def test_networks_have_titles_from_their_options() -> None:
    words = Words(Catalog.from_environment())
    options = {"depth": 20, "width": 16}
    assert words.network({"name": "resnet_cifar", "options": options}) == "ResNet-20-16"
    assert words.network({"name": "resnet_lc_32_8x64"}) == "ResNet-32-8"
    assert words.network({"name": "supermask_resnet_cifar_20_16"}) == "ResNet-20-16"
    assert words.network({"name": "lc_resnet18"}) == "resnet18"
    assert words.network({"name": "resnet50", "options": {"a": 1}}) == "resnet50"
    assert words.network("gone") == "gone"
    assert words.dataset({"name": "cifar10"}) == "CIFAR-10"
    assert words.dataset({"name": "my_own"}) == "my own"
    assert words.question({"task": {"name": "probe"}}) == "Probes of fixed features"
    assert words.question({"task": {"name": "my_task"}}) == "My task"


def test_precisions_are_named_in_words() -> None:
    mixed, single = of(training={"amp": True}), of(training={"amp": False})
    found = tables([mixed, single])
    entitle(found)
    assert sorted(table.title.rpartition(": ")[2] for table in found) == [
        "float32",
        "mixed precision",
    ]


def test_variants_of_a_network_share_a_heading_and_protocols_do_not() -> None:
    lc = {"name": "resnet_lc", "options": {"depth": 20, "width": 16, "expansion": 8}}
    plain = {"name": "resnet_cifar", "options": {"depth": 20, "width": 16}}
    found = tables([of(model="a"), of(1, model="b")])
    found[0].entries[0].first.identity["model"] = lc
    found[0].entries[1].first.identity["model"] = plain
    entitle(found)
    assert found[0].title == "ResNet-20-16 on digits, 6 epochs"
    other = {"epochs": 6, "lr": 0.2}
    first, second = tables([of(), of(training=other)])
    assert first.title.startswith("resnet18 on digits, 6 epochs: ")
    assert first.title != second.title


def test_the_best_protocol_comes_first_and_what_was_cut_short_last() -> None:
    cut = of(limit=10_000, trained_images=10**9)
    cut.comparable = False
    found = tables(
        [
            of(training={"epochs": 3}, trained_images=150_000),
            cut,
            of(training={"epochs": 20}, trained_images=1_000_000),
            of(task="forward", training=None, trained_images=0),
            of(training={"epochs": 75}, trained_images=3_750_000),
        ]
    )
    titles = [table.title for table in found]
    assert [t.partition(", ")[2] for t in titles] == [
        "75 epochs",
        "20 epochs",
        "3 epochs",
        "6 epochs of 10,000 images",
        "",
    ]
    assert [table.question for table in found[3:]] == [
        "Classification",
        "Theory of random networks",
    ]
    paper = ordered(found, {found[2].protocol})
    assert [table.title for table in paper[:2]] == [titles[2], titles[0]]
    assert paper[-1].question == "Theory of random networks"


def test_several_seeds_come_before_longer_training_with_one() -> None:
    long = of(training={"epochs": 75}, trained_images=3_750_000)
    short = [of(seed, training={"epochs": 20}, trained_images=1_000_000) for seed in range(2)]
    titles = [table.title for table in tables([long, *short])]
    assert [title.partition(", ")[2] for title in titles] == ["20 epochs", "75 epochs"]


def test_what_the_runs_took() -> None:
    runs = [of(seed) for seed in range(3)]
    for one in runs:
        one.seconds = 1800.0
        one.environment = {**one.environment, "threads": 2, "packages": {"torch": "2.15.0"}}
    (table,) = tables(runs)
    assert made_on(table) == (
        "n = 3; synthetic, float32, torch 2.15.0; 30 min a run (median); 3 core-hours in all"
    )
    for one in runs:
        one.environment |= {"device": "cuda", "gpu": "H100", "processes": 4}
    (table,) = tables(runs)
    assert made_on(table).endswith(
        "H100, float32, torch 2.15.0; 30 min a run (median); 6 GPU-hours in all"
    )


def test_templates_escape_and_miss_nothing() -> None:
    fields = {"place": 0, "tally": "", "classes": {}, "tables": []}
    shown = render("paper.html", title="<b>&\"'", **fields)
    assert "<bdi>&lt;b&gt;&amp;&#34;&#39;</bdi>" in shown
    with pytest.raises(UndefinedError, match="title"):
        render("paper.html", **fields)


def test_templates_are_loaded_with_a_page_alone() -> None:
    code = (
        "import sys, rbench.report.leaderboard, rbench.report.compare; "
        "sys.exit('jinja2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
