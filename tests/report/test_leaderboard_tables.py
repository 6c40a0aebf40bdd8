from __future__ import annotations

import csv
import io
import math
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
from scipy import stats as reference

import rbench.report.leaderboard.table_csv as table_csv
from rbench.errors import UserError
from rbench.files import write_atomically
from rbench.records.record import Failure, Record, RecordError, to_json
from rbench.report.leaderboard.controls import Baseline
from rbench.report.leaderboard.entries import Table
from rbench.report.leaderboard.frame import load
from rbench.report.leaderboard.labels import tell_apart
from rbench.report.leaderboard.reader import from_records, read_rows
from rbench.report.leaderboard.stats import NOISE, ONE_SEED, difference, summarize
from rbench.report.leaderboard.table_markdown import leader, side_by_side, to_markdown
from rbench.report.leaderboard.tables import make_tables
from rbench.report.leaderboard.text import cell, mean_and_spread, uncell
from tests.helpers.synthetic_records import digest, hostile, many, record


def tables(records: list[Record]) -> list[Table]:
    return make_tables(from_records(records))


def test_summary_and_differences_agree_with_scipy() -> None:
    draw = random.Random(3)
    a = {seed: draw.gauss(5, 1) for seed in range(7)}
    b = {seed: draw.gauss(4, 2) for seed in range(7)}
    summary = summarize(list(a.values()))
    assert summary is not None
    assert summary.sem == pytest.approx(reference.sem(list(a.values())), rel=1e-12)
    paired = difference(a, b)
    expected = reference.ttest_rel(list(a.values()), list(b.values()))
    interval = expected.confidence_interval(0.95)
    assert paired is not None
    assert paired.paired
    assert (paired.p, paired.low, paired.high) == pytest.approx(
        (expected.pvalue, interval.low, interval.high), rel=1e-9
    )
    # A seed that one side lacks does not change the test of the others.
    assert difference(a | {9: 99.0}, b | {8: -99.0}) == paired
    c = {seed + 6: value for seed, value in list(b.items())[:4]}
    welch = difference(a, c)
    expected = reference.ttest_ind(list(a.values()), list(c.values()), equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert welch is not None
    assert not welch.paired
    assert (welch.p, welch.low, welch.high) == pytest.approx(
        (expected.pvalue, interval.low, interval.high), rel=1e-9
    )


def test_words_for_differences() -> None:
    def word(a: list[float], b: list[float], better: bool | None = True) -> str:
        gap = difference(dict(enumerate(a)), dict(enumerate(b)))
        assert gap is not None
        return gap.word(better)

    assert word([1, 2, 3], [1.1, 1.9, 3.05]) == NOISE
    assert word([2, 3.01, 4], [1, 2, 3]) == "better"
    assert word([2, 3.01, 4], [1, 2, 3], better=False) == "worse"
    assert word([2, 3.01, 4], [1, 2, 3], better=None) == "higher"
    assert word([2], [1]) == ONE_SEED
    assert word([2, 2], [2, 2]) == "no difference"


def test_entries_are_ranked_within_a_protocol_and_never_across() -> None:
    found = tables(
        [
            record(model, "none", seed, {"top1": top1 + seed}, dataset=dataset)
            for dataset in ("digits", "svhn")
            for model, top1 in (("a", 90.0), ("b", 92.0), ("c", 90.0))
            for seed in range(2)
        ]
    )
    assert [table.name for table in found] == [
        "classification · digits · recipe digits",
        "classification · svhn · recipe digits",
    ]
    ranks = [(entry.model, entry.rank, entry.summaries["top1"].mean) for entry in found[0].entries]
    assert ranks == [("b", 1, 92.5), ("a", 2, 90.5), ("c", 2, 90.5)]


def test_lower_is_better_ranks_upwards() -> None:
    losses = [record(name, values={"loss": value}) for name, value in (("a", 2.0), ("b", 1.0))]
    for one in losses:
        one.metrics[0].higher_is_better = False
    assert [entry.model for entry in tables(losses)[0].entries] == ["b", "a"]


def test_failed_incomparable_and_infinite_are_shown_apart() -> None:
    failed = record("a", seed=1, status="failed", error=Failure(kind="X", message="boom"))
    failed.metrics.clear()
    cut = record("fast", values={"top1": 99.9}, comparable=False)
    nothing = record("nan", values={"top1": None})
    (table,) = tables([record("a"), failed, cut, nothing])
    assert [(e.model, e.rank, len(e.rows), len(e.failed)) for e in table.entries] == [
        ("a", 1, 1, 1),
        ("nan", None, 1, 0),
        ("fast", None, 1, 0),
    ]
    assert "1 failed or interrupted runs" in to_markdown([table])


def test_of_one_digest_one_record_counts() -> None:
    done, later = record("a"), record("a", values={"top1": 96.0}, started="2027-01-01T00:00:00Z")
    failed = record("a", status="failed", started="2020-01-01T00:00:00Z")
    later.digest = failed.digest = done.digest
    (table,) = tables([later, failed, done])
    assert table.entries[0].values["top1"] == {0: 95.0}
    assert not table.entries[0].failed


def test_controls_stand_beside() -> None:
    records = [
        record(model, freeze, seed, {"top1": top1 + seed / 10})
        for model, freeze, top1 in (
            ("lc_20x8", "none", 91.0),
            ("lc_20x8", "spatial", 91.9),
            ("plain_20", "none", 91.6),
        )
        for seed in range(3)
    ]
    (table,) = make_tables(
        from_records(records),
        [Baseline(("lc_*",), ("plain_*",)), Baseline(("x",), ("{base}",))],
    )
    frozen = next(e for e in table.entries if e.freeze == "spatial")
    learnable, baseline = (frozen.compare_to(c, "top1") for c in ("learnable", "baseline"))
    assert learnable is not None
    assert baseline is not None
    assert learnable.difference.value == pytest.approx(0.9)
    assert baseline.difference.value == pytest.approx(0.3)
    assert "| lc\\_20x8 | 91.10 ± 0.10 | 92.00 ± 0.10 | +0.90 " in side_by_side(table)
    assert leader(table).startswith("lc_20x8, spatial frozen leads: top1 92.00 ± 0.10 %")
    (line,) = [
        line
        for line in table_csv.from_csv(table_csv.to_csv([table]))
        if line["freeze"] == "spatial"
    ]
    assert line["vs_learnable"] == pytest.approx(0.9)
    assert line["vs_baseline_verdict"] == "better"


@pytest.mark.parametrize("depth", [8, 20])
def test_baselines_agree_in_the_named_options(depth: int) -> None:
    records = [
        record("lc", "spatial", options={"base": "plain", "depth": depth, "e": 8}),
        record("plain", options={"depth": 8}),
        record("plain", options={"depth": 20}),
        record("plain", "spatial", options={"depth": depth}),
    ]
    (table,) = make_tables(from_records(records), [Baseline(("lc",), ("{base}",), ("depth",))])
    (found,) = [e.controls["baseline"] for e in table.entries if "baseline" in e.controls]
    assert (found.model, found.freeze) == (f"plain depth={depth}", "none")


def test_runs_that_were_all_cut_alike_are_ranked_and_say_so() -> None:
    records = [record(name, comparable=False) for name in ("a", "b")]
    (table,) = tables(records)
    assert [entry.rank for entry in table.entries] == [1, 1]
    assert "compare with each other and with nothing else" in to_markdown([table])


def test_configurations_of_one_name_are_told_apart() -> None:
    one, two = record("a"), record("a")
    two.resolved["pretrained"], two.digest = True, "other"
    (table,) = tables([one, two])
    assert {entry.note for entry in table.entries} == {"pretrained=False", "pretrained=True"}
    said = leader(table)
    assert "(pretrained=False)" in said
    assert "(pretrained=True)" in said


def test_any_order_gives_the_same_bytes(tmp_path: Path) -> None:
    records = [*many(60), *hostile()]
    shuffled = random.Random(1).sample(records, len(records))
    one, two = tables(records), tables(shuffled)
    assert table_csv.to_csv(one) == table_csv.to_csv(two)
    assert to_markdown(one) == to_markdown(two)


def test_csv_comes_back_as_it_was() -> None:
    found = tables([*many(16), *hostile()])
    lines = table_csv.from_csv(table_csv.to_csv(found))
    expected = [
        (table.protocol, entry.model, entry.rank, metric.name, entry.summaries[metric.name].mean)
        for table in found
        for entry in table.entries
        for metric in table.metrics
        if metric.name in entry.summaries
    ]
    got = [(x["protocol"], x["model"], x["rank"], x["metric"], x["mean"]) for x in lines]
    assert [x[:3] + x[4:] for x in got] == [x[:3] + x[4:] for x in expected]
    assert all(len(x["seeds"]) == len(x["values"]) == x["n"] for x in lines)
    with pytest.raises(UserError, match="column protocol is missing"):
        table_csv.from_csv("a,b\n1,2\n")


def test_no_cell_of_the_csv_is_a_formula_or_breaks_a_line() -> None:
    text = table_csv.to_csv(tables(hostile()))
    lines = list(csv.reader(io.StringIO(text)))
    assert len(lines) == text.count("\n")
    for line in lines[1:]:
        for value in line:
            if value[:1] in ("=", "+", "-", "@", "\t"):
                float(value)
            assert not any(ord(c) < 32 or c in "\u202e\u2066\u2028" for c in value)


@pytest.mark.parametrize("text", ["=1", "'=1", "'a", "a'", "-1", "", "＝x", "plain"])
def test_guarded_cells_come_back(text: str) -> None:
    assert uncell(cell(text)) == text
    assert not cell(text).startswith(("=", "-", "＝"))


def test_markdown_keeps_its_columns_under_hostile_names() -> None:
    text = to_markdown(tables(hostile()))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    heads = [i for i, line in enumerate(rows) if line.startswith("| # ")]
    width = rows[heads[0]].replace("\\|", "").count("|")
    ranking = rows[: len(hostile()) + 2]
    assert all(row.replace("\\|", "").count("|") == width for row in ranking)
    assert "<" not in text.replace("&lt;", "")


def test_numbers_have_the_digits_that_their_spread_allows() -> None:
    assert mean_and_spread(summarize([91.2, 91.4]), "%") == "91.30 ± 0.14"
    assert mean_and_spread(summarize([0.512345]), "") == "0.5123"
    assert mean_and_spread(summarize([0.51, 0.513]), "") == "0.5115 ± 0.0021"
    assert mean_and_spread(None) == "–"


def test_a_folder_is_read_whole_and_broken_records_are_named(tmp_path: Path) -> None:
    for one in many(8):
        write_atomically(tmp_path / "deep" / f"{one.digest}.json", to_json(one))
    assert len(read_rows(tmp_path)) == 8
    frame = load(tmp_path)
    assert len(frame) == 8
    assert {"model", "metric.top1", "model.width", "training.lr", "seed"} <= set(frame.columns)
    assert math.isclose(frame["metric.top1"].mean(), sum(frame["metric.top1"]) / 8)
    for text, complaint in (
        ("{", "is not a record"),
        ("[]", "is not a record"),
        ('{"schema_version": 99, "digest": "", "spec": {}, "seed": 0, "started": ""}', "schema 99"),
        ("[" * 100_000, "is not a record"),
        (to_json(one).replace("93.0", "NaN"), "is not a record"),
    ):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(RecordError, match=complaint) as error:
            read_rows(tmp_path)
        assert "\n" not in str(error.value)
        assert "bad.json" in str(error.value)
    assert len(read_rows(tmp_path, skip_broken=True)) == 8
    with pytest.raises(UserError, match="no folder of records"):
        read_rows(tmp_path / "missing")


def test_notes_begin_with_what_is_rarest() -> None:
    def entry(**task: object) -> SimpleNamespace:
        first = SimpleNamespace(identity={"task": {"options": task}}, code={})
        return SimpleNamespace(model="m", init="i", freeze="none", first=first, note="")

    entries = [entry(a=1, ratio=n) for n in range(3)] + [entry(a=2, ratio=0)]
    tell_apart(entries)  # type: ignore[arg-type]
    assert [e.note for e in entries] == [
        "task.ratio=0, task.a=1",
        "task.ratio=1, task.a=1",
        "task.ratio=2, task.a=1",
        "task.a=2, task.ratio=0",
    ]


def test_options_of_freezing_rules_tell_rows_apart() -> None:
    found = []
    for share in (0.5, 0.9):
        one = record()
        rules = {"fraction": {"revision": 1, "options": {"p": share}}}
        one.resolved |= {"freeze": ["!norms", "fraction"], "freeze_rules": rules}  # type: ignore[dict-item]
        one.digest = digest(one.resolved)
        found.append(one)
    (table,) = tables(found)
    assert {e.freeze for e in table.entries} == {"!norms+fraction p=0.5", "!norms+fraction p=0.9"}


def test_what_few_runs_have_comes_after_the_others() -> None:
    usual = [record(seed=seed, values={"top1": 90.0, "loss": 1.0}) for seed in range(4)]
    again = record(seed=0, values={"top1": 90.0, "attacked": 50.0, "nll": 1.0})
    (table,) = tables([*usual, again])
    assert [metric.name for metric in table.metrics] == ["top1", "loss", "attacked", "nll"]
