"""What shares a table, a row and a column, and what labels and intervals say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest
from typer.testing import CliRunner

from rbench.cli.app import app
from rbench.records.record import FreezeReport, MetricValue, Record, Tensors, Tuning, to_json
from rbench.records.titles import learned
from rbench.report.leaderboard import from_records, make_tables, read_folders
from rbench.report.leaderboard.table_other import to_latex, to_terminal
from rbench.report.leaderboard.text import mean_and_spread
from tests.helpers.synthetic_records import digest, freeze_report, record


def again(one: Record, **identity: Any) -> Record:
    one.resolved.update(identity)
    one.digest = digest(one.resolved)
    return one


def test_runs_that_measured_other_metrics_share_a_table_and_a_row() -> None:
    few = [record(seed=0, values={"top1": 90.0})]
    more = [record(seed=1, values={"top1": 92.0, "erank": 3.0})]
    (table,) = make_tables(from_records([*few, *more]))
    (entry,) = table.entries
    assert entry.values["top1"] == {0: 90.0, 1: 92.0}
    assert entry.values["erank"] == {1: 3.0}


def test_a_metric_with_other_options_has_a_column_of_its_own() -> None:
    def attacked(seed: int, images: int | None, value: float) -> Record:
        one = record(f"net{seed}", seed=seed, values={"top1": 90.0, "fgsm@1/255": value})
        asked = [{"name": "top1", "options": {}}, {"name": "fgsm", "options": {"images": images}}]
        return again(one, metrics=asked)

    records = [attacked(0, None, 40.0), attacked(1, None, 41.0), attacked(2, 2000, 50.0)]
    (table,) = make_tables(from_records(records))
    names = [metric.name for metric in table.metrics]
    assert names == ["top1", "fgsm@1/255", "fgsm@1/255 (images 2000)"]
    assert [len(e.values.get(names[2], ())) for e in table.entries].count(1) == 1
    assert all("top1" in entry.values for entry in table.entries)


def test_policies_that_freeze_the_same_tensors_are_one_configuration() -> None:
    def frozen(policy: str, seed: int, names: list[str]) -> Record:
        one = record(freeze=policy, seed=seed)
        one.freeze = FreezeReport(
            policy=[policy],
            learnable=Tensors(count=5, names=["fc.weight"]),
            frozen=Tensors(count=9, names=names),
        )
        return one

    names = ["layer3.conv.weight", "layer3.bn.weight"]
    records = [frozen("layer3.*", 0, names), frozen("layer3", 1, names)]
    (table,) = make_tables(from_records(records))
    (entry,) = table.entries
    assert entry.freeze == "layer3"
    assert sorted(entry.values["top1"]) == [0, 1]
    (table,) = make_tables(from_records([*records, frozen("layer4", 0, names[:1])]))
    assert len(table.entries) == 2


def test_titles_name_the_overrides_and_what_tells_two_apart() -> None:
    def run(lr: float, **dataset: Any) -> Record:
        parts = {"name": "digits", "options": dataset, "content": None, "img_size": None}
        training = {"epochs": 6, "lr": lr}
        return again(record(), dataset=parts, training=training, recipe="digits", limit=None)

    names = [table.name for table in make_tables(from_records([run(0.05), run(0.1)]))]
    assert names == [
        "classification · digits · recipe digits · 6 epochs",
        "classification · digits · recipe digits, lr 0.1 · 6 epochs",
    ]
    names = [t.name for t in make_tables(from_records([run(0.05, size=8), run(0.05, size=16)]))]
    assert [name.rpartition(" · ")[2] for name in names] == ["size 16", "size 8"]


def test_labels_say_what_learned_in_this_run() -> None:
    design = record("rwvgg")
    design.freeze = FreezeReport(
        policy=["none"],
        learnable=Tensors(count=7, names=["d"]),
        frozen=Tensors(count=3, names=["c"]),
    )
    untrained = again(record("rrvgg"), training=None)
    # Fitted to single images, without a recipe.
    fitted = again(record("dip_skip", "norms"), training=None)
    fitted.freeze = freeze_report("norms").model_copy(update={"trained": True})
    runs = [record("plain"), design, untrained, fitted]
    tables = make_tables(from_records(runs))
    entries = {entry.model: entry for table in tables for entry in table.entries}
    words = {
        "plain": "none", "rwvgg": "by design", "rrvgg": "all (untrained)", "dip_skip": "norms"
    }  # fmt: skip
    assert {model: entries[model].frozen for model in words} == words
    assert [run.trained for run in runs] == [True, True, False, True]
    assert [learned(run) for run in runs[2:]] == [
        "nothing, untrained",
        "all but norms, 4,778 of 272,474",
    ]
    assert entries["dip_skip"].learned == 4778
    assert entries["rwvgg"].learned == 7
    assert entries["rrvgg"].learned == 0
    assert entries["rrvgg"].fixed == 272474


def test_older_records_of_filters_that_are_not_kept_do_not_say_everything() -> None:
    one = record("resnet_lc", "spatial")
    one.freeze = freeze_report("spatial").model_copy(update={"learns": "everything"})
    (table,) = make_tables(from_records([one]))
    assert table.entries[0].what_learned == "4,778 of 272 k"
    assert learned(one) == "all but spatial, 4,778 of 272,474"


@pytest.mark.parametrize("share", [0.0, 100.0])
def test_a_share_at_an_end_has_wilsons_interval(share: float) -> None:
    records = [record(seed=seed, values={"top5": share}) for seed in range(3)]
    for one in records:
        one.metrics[0].uncertainty_kind = "binomial standard error over images"
    (table,) = make_tables(from_records(records))
    summary = table.entries[0].summaries["top5"]
    found = binomtest(360 if share else 0, 360).proportion_ci(0.95, "wilson")
    assert summary.ends == pytest.approx((100 * found.low, 100 * found.high))
    text = mean_and_spread(summary, "%")
    assert text.startswith(f"{share:.0f} [")
    assert "±" not in text
    records[0].metrics[0].value = 50.0
    (table,) = make_tables(from_records(records))
    assert table.entries[0].summaries["top5"].ends is None


def test_what_cannot_vary_has_no_spread_and_large_numbers_have_units() -> None:
    records = [record(seed=seed, values={"params": 2085546.0}) for seed in range(3)]
    for one in records:
        one.metrics[0].unit = ""
    (table,) = make_tables(from_records(records))
    assert mean_and_spread(table.entries[0].summaries["params"]) == "2.09 M"


def test_a_table_fits_the_terminal_and_says_what_is_left_out() -> None:
    values = {f"metric_{place}": 10.0 + place for place in range(9)}
    tables = make_tables(from_records([record(seed=seed, values=values) for seed in range(2)]))
    wide, narrow = to_terminal(tables, width=400), to_terminal(tables, width=90)
    assert "more metrics" not in wide
    assert "metric_0 % ↑" in narrow
    rows = [text for text in narrow.splitlines() if text.startswith(("#", "-", "1"))]
    assert max(map(len, rows)) <= 90
    assert "more metrics: --csv" in narrow
    assert "&" not in narrow
    latex = to_latex(tables)
    assert "$\\pm$" in latex
    assert "metric\\_0 \\%" in latex
    assert "±" not in latex


def test_several_folders_and_forms(tmp_path: Path) -> None:
    for folder, seed in (("a", 0), ("b", 1)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.json").write_text(to_json(record(seed=seed)))
    rows, base = read_folders([tmp_path / "a", tmp_path / "b"])
    assert [row.path for row in rows] == ["a/x.json", "b/x.json"]
    assert base == tmp_path.resolve()
    folders = [str(tmp_path / "a"), str(tmp_path / "b")]
    result = CliRunner().invoke(app, ["leaderboard", *folders, "--json"])
    (line,) = json.loads(result.stdout)
    assert line["n"] == 2
    result = CliRunner().invoke(app, ["leaderboard", *folders, "--csv"])
    assert result.stdout.splitlines()[0].startswith("protocol,protocol_name")


def test_runs_tuned_over_the_same_range_share_a_table_whatever_was_chosen() -> None:
    def one(lr: float, high: float | None) -> Record:
        made = record(values={"top1": 90.0})
        made = again(made, training={**made.resolved["training"], "lr": lr})  # type: ignore[dict-item]
        if high is not None:
            axes = {"training.lr": {"low": 0.01, "high": high, "scale": "log"}}
            made.tuning = Tuning.model_validate(
                {"suite": "s", "select": "top1@val", "trials": 8, "seed": 0, "seeds": 1,
                 "axes": axes, "chosen": {"training.lr": lr}, "score": 90.0, "at_edge": [],
                 "tried": []}
            )  # fmt: skip
        return made

    (table,) = make_tables(from_records([one(0.02, 3.0), one(0.3, 3.0)]))
    assert len(table.entries) == 2
    assert len(make_tables(from_records([one(0.02, 3.0), one(0.3, 1.0)]))) == 2
    assert len(make_tables(from_records([one(0.02, 3.0), one(0.3, None)]))) == 2


def test_tables_of_two_folders_are_told_apart_by_their_contents() -> None:
    def of(content: str) -> Any:
        made = record("resnet18", values={"top1": 50.0})
        made.resolved["dataset"]["content"] = content  # type: ignore[index,call-overload]
        made.digest = digest(made.resolved)
        return made

    tables = make_tables(from_records([of("sha256:0123456789abcdef"), of("sha256:fedcba98765")]))
    names = {table.name for table in tables}
    assert len(names) == 2
    assert all(" · dataset content " in name for name in names)
    assert {name.rpartition(" ")[2] for name in names} == {"01234567", "fedcba98"}


def test_frozen_filters_that_are_not_kept_are_another_configuration() -> None:
    frozen, learnable = record("resnet_lc", "spatial"), record("resnet_lc", "none")
    for one, policy, fixed in ((frozen, "spatial", 34_228_224), (learnable, "none", 0)):
        one.freeze = FreezeReport(
            policy=[policy],
            learnable=Tensors(count=7, names=["w"]),
            frozen=Tensors(count=fixed, stored=0 if fixed else None),
        )
    (table,) = make_tables(from_records([frozen, learnable]))
    assert sorted(entry.freeze for entry in table.entries) == ["none", "spatial"]


def test_old_records_that_count_no_frozen_filters_keep_rows_of_their_own() -> None:
    """Old records of folded LC-blocks: no frozen filters, and the folded weights as learnable."""
    frozen = [record("resnet_lc", "spatial", seed=s, values={"top1": 60.0}) for s in (0, 1)]
    learnable = [record("resnet_lc", "none", seed=s, values={"top1": 50.0}) for s in (0, 1)]
    for one in (*frozen, *learnable):
        one.freeze = FreezeReport(
            policy=one.freeze.policy if one.freeze else [],
            learnable=Tensors(count=7, names=["w"]),
            frozen=Tensors(count=0, names=[]),
        )
    for one, count in zip((*frozen, *learnable), (41, 41, 97, 97), strict=True):
        one.metrics.append(MetricValue(name="learnable_parameters", value=count))
    (table,) = make_tables(from_records([*learnable, *frozen]))
    rows = {entry.freeze: entry for entry in table.entries}
    assert rows["spatial"].values["top1"] == {0: 60.0, 1: 60.0}
    assert rows["none"].values["top1"] == {0: 50.0, 1: 50.0}
    assert (rows["spatial"].learned, rows["spatial"].fixed) == (41, None)
    assert (rows["none"].learned, rows["none"].fixed) == (97, 0)
