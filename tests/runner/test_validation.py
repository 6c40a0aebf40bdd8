from __future__ import annotations

from typing import Any

import pytest
import torch
from sklearn.model_selection import StratifiedShuffleSplit

import rbench as rb
from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.plugin.data import FileImages, ImageData, MemoryImages
from rbench.report.leaderboard import from_records, make_tables
from rbench.report.leaderboard.page import to_html
from rbench.report.leaderboard.table_csv import from_csv, to_csv
from rbench.report.leaderboard.table_markdown import to_markdown
from rbench.report.leaderboard.table_other import to_terminal
from rbench.runner.load_data import open_data
from rbench.runner.validation import stratified, with_validation
from rbench.spec.resolve import resolve

TINY: dict[str, Any] = {
    "model": "test_resnet",
    "dataset": "digits",
    "limit": 32,
    "epochs": 3,
    "batch_size": 8,
    "metrics": ("top1", "loss"),
    "output": None,
    "device": "cpu",
}
LABELS = torch.tensor([0] * 50 + [1] * 30 + [2] * 17 + [3] * 3)[
    torch.randperm(100, generator=torch.Generator().manual_seed(1))
]


def data(labels: torch.Tensor | None = LABELS) -> ImageData:
    pixels = torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1)
    train = MemoryImages(pixels, labels, [f"{i}.png" for i in range(100)])
    return ImageData(name="tiny", revision="0", in_chans=1, img_size=(1, 1), train=train)


@pytest.mark.parametrize("count", [4, 10, 33, 50, 99])
def test_each_class_has_its_share_as_scikit_learn_gives_it(count: int) -> None:
    chosen = stratified(LABELS, count, 100)
    assert len(chosen.unique()) == count
    found = torch.bincount(LABELS[chosen], minlength=4)
    ideal = torch.bincount(LABELS) * count / 100
    assert (found - ideal).abs().max() < 1
    split = StratifiedShuffleSplit(1, test_size=count, train_size=100 - count, random_state=0)
    if 4 <= count <= 96:
        _, theirs = next(split.split(torch.zeros(100), LABELS))
        assert (found - torch.bincount(LABELS[theirs], minlength=4)).abs().max() <= 1


@pytest.mark.parametrize(("wanted", "count"), [(0.1, 10), (25.0, 25), (0.5, 50)])
def test_no_image_is_in_both_splits_and_names_and_labels_stay_with_their_images(
    wanted: float, count: int
) -> None:
    split = with_validation(data(), wanted)
    assert isinstance(split.train, MemoryImages)
    assert isinstance(split.val, MemoryImages)
    assert len(split.val) == count
    both = torch.cat([split.train.pixels, split.val.pixels]).flatten().sort().values
    assert both.tolist() == list(range(100))
    for part in (split.train, split.val):
        assert part.labels is not None
        assert torch.equal(part.labels, LABELS[part.pixels.flatten().long()])
        assert list(part.names) == [f"{i}.png" for i in part.pixels.flatten().tolist()]


def test_files_are_split_as_memory_is() -> None:
    files = FileImages(
        load=lambda i: i,  # type: ignore[arg-type,return-value]
        prepare=lambda image: torch.tensor(image),
        targets=LABELS.tolist(),
        names=[f"{i}.png" for i in range(100)],
    )
    memory = with_validation(data(), 0.2).val
    split = with_validation(ImageData(**{**data().__dict__, "train": files}), 0.2)
    assert isinstance(memory, MemoryImages)
    assert isinstance(split.val, FileImages)
    assert [split.val[i] for i in range(20)] == [
        (torch.tensor(p), LABELS[p]) for p in memory.pixels.flatten().tolist()
    ]
    assert split.val.names == memory.names


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (0.001, "0 of 100 training images"),
        (100.0, "100 of 100 training images"),
        ("own", "has no validation split"),
    ],
)
def test_impossible_splits_are_refused(wanted: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        with_validation(data(), wanted)


def resolved(**fields: Any) -> Any:
    return resolve(rb.RunSpec(**{"model": "test_resnet", **fields}), Catalog.from_environment())


def test_the_split_is_part_of_the_identity_only_when_it_is_asked_for() -> None:
    plain, split = resolved(), resolved(val=0.1)
    assert "val" not in plain.identity
    assert split.identity == {**plain.identity, "val": 0.1}
    assert plain.protocol != split.protocol
    assert resolved(val="0.1").digest == split.digest
    curves = resolved(val=0.1, eval_every=1, eval_metrics=("loss",), eval_split="test")
    assert curves.digest == split.digest
    best = resolved(training={"keep": "best"})
    assert best.identity["selection"]["split"] == "test"
    assert resolved(training={"keep": "best"}, val=9).identity["selection"]["split"] == "val"


def test_the_split_is_the_same_for_every_seed_and_never_trained_on() -> None:
    opened = [open_data(resolved(val=0.2, seed=seed))[0] for seed in (0, 7)]
    assert torch.equal(opened[0].val.pixels, opened[1].val.pixels)  # type: ignore[union-attr]
    whole, _ = open_data(resolved())
    assert isinstance(whole.train, MemoryImages)
    assert isinstance(opened[0].train, MemoryImages)
    assert isinstance(opened[0].val, MemoryImages)
    assert len(opened[0].train) + len(opened[0].val) == len(whole.train)
    assert round(0.2 * len(whole.train)) == len(opened[0].val)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"measure_on": "val"}, "--measure-on val needs a validation split"),
        ({"eval_every": 1, "eval_split": "val"}, "--eval-split val needs a validation split"),
        ({"val": 1.5}, "a fraction below 1, a number of images, or own"),
        ({"val": "tenth"}, "val"),
        (
            {"task": "forward", "model": "random_cnn", "training": {"keep": "best"}},
            "does not train",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((UserError, ValueError), match=message):
        resolved(**fields)


@pytest.mark.slow
def test_keep_best_selects_on_the_validation_split_and_tests_once() -> None:
    (best,) = rb.run(**TINY, keep="best", val=100)
    assert best.status == "done", best.error
    assert best.selection is not None
    assert (best.selection.split, best.selection.metric) == ("val", "top1")
    scores = [score for score in best.history["top1@val"] if score is not None]
    assert len(scores) == 3
    assert best.selection.value == max(scores)
    assert best.selection.epoch == scores.index(max(scores)) + 1
    assert "top1@test" not in best.history
    assert not best.selected_on_test
    assert best.data is not None
    assert best.data.val_images == 100
    # The weights are those of that epoch: measured on the validation split they score the same.
    (same,) = rb.run(**TINY, keep="best", val=100, measure_on="val")
    assert same.result_sha256 == best.result_sha256
    assert same.metric("top1").value == best.selection.value
    assert same.metric("top1").n == 100
    assert same.comparable is False


@pytest.mark.slow
def test_a_selection_on_the_test_split_is_marked() -> None:
    (record,) = rb.run(**TINY, keep="best")
    assert record.selection is not None
    assert record.selection.split == "test"
    assert record.selected_on_test
    assert record.metric("top1").value == record.selection.value
    assert any("selected on the test split" in note for note in record.notes)
    (last,) = rb.run(**TINY)
    assert last.selection is None
    assert not last.selected_on_test
    old = record.model_copy(update={"selection": None})
    assert old.selected_on_test, "a record from before the field says it by its recipe"
    for one in (record, old):
        tables = make_tables(from_records([one, last]))
        (marked,) = (t for t in tables if t.entries[0].selected_on_test)
        (plain,) = (t for t in tables if t is not marked)
        for form in (to_markdown([marked]), to_terminal([marked], width=200), to_html([marked])):
            assert "selected on test" in form.partition("<script type=module>")[0]
        assert "selected on test" not in to_markdown([plain])
        (line,) = {line["selected_on_test"] for line in from_csv(to_csv([marked]))}
        assert line is True
