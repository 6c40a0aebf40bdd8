from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from rbench.errors import UserError
from rbench.records.record import Artifact, MetricValue, Record
from rbench.report.plot import Item, draw, figures, items
from rbench.report.plot.axes import fill
from rbench.report.plot.declaration import Figure
from rbench.report.plot.marks import lines_of
from rbench.report.plot.pixels import picture_file
from rbench.report.plot.points import points, selected, series, sort_key
from rbench.report.plot.style import paper
from tests.helpers.synthetic_records import hostile, record

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def grid() -> list[Record]:
    return [
        record(
            "resnet_lc",
            freeze,
            seed,
            {"top1": 80 + math.log2(e) * (freeze == "spatial") + seed},
            {"expansion": e},
            artifacts=[Artifact(file="p.png", caption="before and after")],
        )
        for e in (1, 8, 64)
        for freeze in ("none", "spatial")
        for seed in range(3)
    ]


def found(records: list[Record], folder: Path | None = None) -> list[Item]:
    return items((one, folder) for one in records)


def figure(**fields: Any) -> Figure:
    return figures([{"name": "f", "kind": "curve", **fields}], "suite test")[0]


CURVE: dict[str, Any] = {"x": "model_kwargs.expansion", "y": "top1", "series": "freeze"}


def test_points_are_means_over_seeds_with_the_declared_error() -> None:
    declared = figure(**CURVE)
    (_, learnable), (label, frozen) = series(declared, found(grid()))
    assert label == "spatial"
    line = points(declared, frozen, [])
    assert [(p.x, p.centre, p.error) for p in line] == [(1, 81, 1), (8, 84, 1), (64, 87, 1)]
    sem = points(figure(**CURVE, error="sem"), learnable, [])
    assert sem[0].error == pytest.approx(1 / math.sqrt(3))
    ci = points(figure(**CURVE, error="ci"), learnable, [])
    assert ci[0].error == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)


def test_a_difference_pairs_the_seeds() -> None:
    declared = figure(
        x="model.expansion", y="top1", where={"freeze": "spatial"}, minus={"freeze": "none"}
    )
    everything = found(grid())
    chosen, notes = selected(declared, everything)
    line = points(declared, chosen, everything)
    assert [(p.x, p.centre, p.error) for p in line] == [(1, 0, 0), (8, 3, 0), (64, 6, 0)]
    assert not notes


GAPS = (1.0, 4.0, 7.0)
"""Frozen minus learnable, by seed: std 3."""


def pairs(reference: float = 80.0, **fields: Any) -> tuple[list[Record], list[Record]]:
    """Learnable runs, and frozen ones above them by the gaps."""
    learnable = [
        record("net", "none", seed, {"top1": reference + seed}, {"width": 8}, **fields)
        for seed in range(3)
    ]
    frozen = [
        record("net", "spatial", seed, {"top1": reference + seed + gap}, {"width": 8}, **fields)
        for seed, gap in enumerate(GAPS)
    ]
    return learnable, frozen


GAP: dict[str, Any] = {
    "x": "model.width",
    "y": "top1",
    "where": {"freeze": "spatial"},
    "minus": {"freeze": "none"},
}


@pytest.mark.parametrize(
    ("error", "half"),
    [("std", 3.0), ("sem", math.sqrt(3)), ("ci", 4.30265 * math.sqrt(3)), ("none", 0.0)],
)
def test_the_error_of_a_difference_is_that_of_the_gaps(error: str, half: float) -> None:
    learnable, frozen = pairs()
    (point,) = points(figure(**GAP, error=error), found(frozen), found(learnable))
    assert (point.centre, point.error) == (4, pytest.approx(half, rel=1e-5))


def test_a_difference_is_taken_within_one_protocol() -> None:
    learnable, frozen = pairs()
    other, _ = pairs(60.0, protocol="other")
    for one in other:
        one.digest = f"other{one.digest}"
    assert points(figure(**GAP), found(frozen), found(other)) == []
    for everything in (learnable + other, other + learnable):
        (point,) = points(figure(**GAP), found(frozen), found(everything))
        assert point.centre == 4


def test_a_curve_takes_several_columns_and_fits_a_slope() -> None:
    records = [
        record("m", "none", seed, {"a": 8 * e**-0.5, "b": 2.0 * e}, {"expansion": e})
        for e in (1, 4, 64)
        for seed in range(2)
    ]
    both = figure(x="model.expansion", y=["a", "b"], fit=True, labels={"a": "measured"})
    lines = lines_of(both, found(records), [])
    assert [line.label for line in lines] == ["measured, slope -0.500", "b, slope 1.000"]
    assert [(line.hue, line.dash) for line in lines] == [(0, 0), (1, 0)]
    assert [p.centre for p in lines[0].points] == [8, 4, 1]
    by_freeze = figure(x="model.expansion", y=["top1", "top1"], series="freeze", xscale="log")
    assert [(line.hue, line.dash) for line in lines_of(by_freeze, found(grid()), [])] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    assert draw(both, found(records)).content
    one = figure(x="model.expansion", y="a", fit=True, where={"model.expansion": 4})
    assert lines_of(one, selected(one, found(records))[0], [])[0].label == ""
    with pytest.raises(UserError, match="names no column"):
        figure(x="seed", y=[])


def test_values_of_several_columns_have_words_together() -> None:
    two = {"series": ["model.expansion", "freeze"], "where": {"model.expansion": 8}}
    words = {"8, none": "all learns", "spatial": "frozen"}
    declared = figure(**{**CURVE, **two, "labels": words})
    shown = selected(declared, found(grid()))[0]
    assert [label for label, _ in series(declared, shown)] == ["all learns", "8, frozen"]


def test_networks_without_one_of_the_columns_are_in_a_series() -> None:
    """Of the two networks each has an option that the other has not."""
    lc, plain = (
        record(name, "none", 0, {"top1": 80.0, "top5": 90.0}, options)
        for name, options in (("lc", {"expansion": 8}), ("plain", {"step": 384}))
    )
    neither = record("other", "none", 0, {"top1": 1.0, "top5": 2.0})
    columns = ["model.expansion", "model.step"]
    words = {"8": "combinations", "384": "a larger step"}
    declared = figure(kind="scatter", x="top1", y="top5", series=columns, labels=words)
    labels = [label for label, _ in series(declared, found([lc, plain, neither]))]
    assert sorted(labels) == ["a larger step", "combinations"]


def test_a_metric_answers_to_its_name_without_what_it_was_measured_at() -> None:
    (item,) = found([record(values={"fgsm@1/255": 40.0, "fgsm@8/255": 3.0})])
    assert item.get("fgsm") == 40.0
    assert item.get("fgsm@8/255") == 3.0
    assert item.get("fg") is None


@contextmanager
def drawn(declared: Figure, records: list[Record]) -> Iterator[Axes]:
    """The axes of a figure with one panel."""
    import matplotlib.pyplot as plt

    with paper():
        picture, axes = plt.subplots()
        chosen, _ = selected(declared, found(records))
        assert fill(declared, axes, chosen, [], None)
        picture.canvas.draw()
        yield axes
        plt.close(picture)


def tick_texts(declared: Figure, records: list[Record], axis: str) -> set[str]:
    """What stands at the ticks of a figure's axis, x or y."""
    with drawn(declared, records) as axes:
        labels = getattr(axes, f"get_{axis}ticklabels")
        return {tick.get_text() for tick in (*labels(minor=False), *labels(minor=True))} - {""}


def test_logarithmic_axes_write_numbers_not_tex() -> None:
    records = [record("m", "none", 0, {"a": 3.0 * e}, {"expansion": e}) for e in (1, 4, 64)]
    declared = figure(x="model.expansion", y="a", xscale="log", yscale="log")
    texts = tick_texts(declared, records, "y")
    assert {"10", "20", "50", "100"} <= texts
    assert not any("$" in text for text in texts)


def test_large_numbers_are_short_and_many_decades_have_only_their_own() -> None:
    records = [record("m", "none", 0, {"a": 3.0, "n": 4e4 * e}, {"b": e}) for e in (1, 50, 1000)]
    declared = figure(x="metric.n", y="a", xscale="log")
    texts = tick_texts(declared, records, "x")
    assert {"100k", "1M", "10M"} <= texts
    assert not any(text[0] in "25" for text in texts)
    records = [record("m", "none", 0, {"a": 3.0, "n": 9e4 * e}, {"b": e}) for e in (1, 2, 3)]
    texts = tick_texts(figure(x="metric.n", y="a"), records, "x")
    assert {"100k", "200k"} <= texts
    assert not any("000" in text for text in texts)


def test_a_strip_shows_every_seed_beside_its_mean() -> None:
    words = {"none": "learnable", "spatial": "frozen random"}
    fields = {"kind": "strip", "y": "top1", "series": "freeze", "labels": words}
    declared = figure(**fields, where={"model.expansion": 8})
    with drawn(declared, grid()) as axes:
        marks = [line.get_ydata() for line in axes.lines if line.get_marker() == "o"]
        assert [np.asarray(y).tolist() for y in marks] == [[81], [80, 81, 82], [84], [83, 84, 85]]
        bars = [path.vertices[:, 1].tolist() for c in axes.collections for path in c.get_paths()]
        assert bars == [[80, 82], [83, 85]]
        assert [text.get_text() for text in axes.get_xticklabels()] == [
            "learnable",
            "frozen random",
        ]


def test_limits_and_the_order_of_texts_are_as_declared() -> None:
    limits = figure(**CURVE, xlim=[0, 100], ylim=[90, 70])
    with drawn(limits, grid()) as axes:
        assert (axes.get_xlim(), axes.get_ylim()) == ((0, 100), (90, 70))
    bars = figure(kind="bars", x="freeze", y="top1", where={"model_kwargs.expansion": 8})
    for order, expected in (([], ["none", "spatial"]), (["spatial"], ["spatial", "none"])):
        with drawn(bars.model_copy(update={"xorder": order}), grid()) as axes:
            assert [label.get_text() for label in axes.get_xticklabels()] == expected


def test_two_configurations_on_one_point_are_refused() -> None:
    with pytest.raises(UserError, match="differ in freeze"):
        draw(figure(x="model.expansion", y="top1"), found(grid()))


def test_protocols_are_not_mixed() -> None:
    other = [
        one.model_copy(update={"protocol": "other", "digest": f"o{place}"})
        for place, one in enumerate(grid()[:3])
    ]
    chosen, notes = selected(figure(**CURVE), found(grid() + other))
    assert len(chosen) == 18
    assert notes == ["3 records of other protocols left out"]


@pytest.mark.parametrize("place", ["series", "panel", "x"])
def test_a_record_that_a_column_would_place_and_that_lacks_it_is_named(place: str) -> None:
    plain = [record("net", "none", seed, {"top1": 80.0}) for seed in range(2)]
    wide = [record("net", "none", seed, {"top1": 90.0}, {"width": 8}) for seed in range(2)]
    declared = figure(**{"kind": "bars", "x": "model", "y": "top1", place: "model.width"})
    chosen, notes = selected(declared, found(plain + wide))
    assert [item.get("model.width") for item in chosen] == [8, 8]
    assert notes == ["2 records without model.width left out"]


KINDS: list[dict[str, Any]] = [
    {**CURVE, "xscale": "log2", "reference": [{"label": "b", "where": {"freeze": "none"}}]},
    {**CURVE, "reported": [{"label": "paper", "x": [1, 8], "y": [80.0, 81.0]}], "slope": -0.5},
    {**CURVE, "kind": "bars", "panel": "dataset"},
    {"kind": "strip", "y": "top1", "series": ["freeze", "model.expansion"]},
    {**CURVE, "kind": "scatter", "x": "learnable_parameters"},
    {"kind": "history", "y": ["history.train_loss"], "series": "freeze", "smooth": 5},
    {"kind": "heatmap", "x": "model.expansion", "y": "freeze", "value": "top1"},
    {"kind": "matrix", "value": "metrics.heat.details.grid", "series": "freeze"},
    {"kind": "pictures", "rows": "freeze", "columns": "model.expansion", "caption": "top1"},
]


@pytest.mark.parametrize("declared", KINDS, ids=lambda d: d.get("kind", "curve"))
def test_every_kind_is_drawn_the_same_in_any_order(
    declared: dict[str, Any], tmp_path: Path
) -> None:
    Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save(tmp_path / "p.png")
    heat = MetricValue(name="heat", value=1.0, details={"grid": [[1.0, 2.0], [3.0, 4.0]]})
    records = [r.model_copy(update={"metrics": [*r.metrics, heat]}) for r in grid()]
    one = draw(figure(**declared), found(records, tmp_path), "svg")
    two = draw(figure(**declared), found(records[::-1], tmp_path), "svg")
    assert one.content is not None
    assert one.content.startswith(b"<?xml")
    assert one.content == two.content
    assert draw(figure(**declared), found(records, tmp_path), "png").content is not None


def test_no_fitting_record_is_a_note_and_no_file() -> None:
    drawn = draw(figure(x="model.width", y="top1"), found(grid()))
    assert drawn.content is None
    assert drawn.notes == ["18 records without model.width left out", "no record fits it"]


def test_reported_values_becomelines_of() -> None:
    asked = []

    def lookup(name: str) -> tuple[float, float | None]:
        asked.append(name)
        return 91.6, 0.23

    declared = figure(**CURVE, reference=[{"label": "paper", "reported": "p2:table1/x"}])
    assert draw(declared, found(grid()), reported=lookup).content
    assert asked == ["p2:table1/x"]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"x": "a", "y": "b", "serie": "c"}, "did you mean series"),
        ({"x": "a"}, "kind curve needs y"),
        (
            {**CURVE, "smooth": 5},
            "smooth has no meaning for a figure of kind curve, only for history",
        ),
        (
            {**CURVE, "kind": "strip"},
            "x has no meaning for a figure of kind strip",
        ),
        ({"kind": "strip", "y": "top1"}, "kind strip needs series"),
        ({**CURVE, "minus": {"freeze": "none"}, "findings": ["{none}"]}, "leave out minus"),
        ({**CURVE, "reference": [{"label": "b"}]}, "give one of value"),
        ({**CURVE, "reference": [{"lable": "b", "value": 1}]}, "reference"),
        ({**CURVE, "name": "../x"}, "name"),
        ({**CURVE, "xscale": "ln"}, "xscale"),
        ({**CURVE, "ylim": [80, 80]}, "ylim is empty: it begins and ends at 80"),
        ({**CURVE, "xlim": [0, 64], "xscale": "log2"}, "xlim has 0, which no logarithmic axis"),
        ({**CURVE, "reported": [{"label": "p", "x": [1], "y": [1.0, 2.0]}]}, "differ in length"),
    ],
)
def test_bad_declarations_are_one_clear_line(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as error:
        figure(**fields)
    assert "\n" not in str(error.value)


def test_pictures_outside_the_records_folder_are_not_read(tmp_path: Path) -> None:
    inside = tmp_path / "records"
    inside.mkdir()
    (tmp_path / "secret.png").write_bytes(b"x")
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    for name in ("../secret.png", str(tmp_path / "secret.png"), "link.png", "none.png", "..\\x"):
        assert picture_file(inside, name) is None


def test_hostile_texts_are_drawn_as_text(tmp_path: Path) -> None:
    declared = figure(kind="bars", x="model", y="top1", title="<script>$\\frac$")
    content = draw(declared, found(hostile(), tmp_path)).content
    assert content is not None
    assert b"<script" not in content


def test_a_name_that_does_not_fit_its_axis_is_a_note() -> None:
    long = "the sum of the squared errors of an image over all its pixels"
    low = draw(figure(**CURVE, ylabel=long, height=1.5), found(grid()))
    assert low.notes == [f"the figure's height has no room for '{long}'"]
    assert draw(figure(**CURVE, ylabel=long, height=6.0), found(grid())).notes == []
    narrow = draw(figure(**CURVE, xlabel=long), found(grid()))
    assert narrow.notes == [f"the figure's width has no room for '{long}'"]
    assert draw(figure(**CURVE, xlabel=long, width="page"), found(grid())).notes == []


def test_one_record_of_many_networks_has_its_own_spread() -> None:
    one = record("rrvgg", "none", 0, {}, {"width": 4})
    one.metrics = [
        MetricValue(
            name="ssim",
            value=0.5,
            n=4,
            uncertainty=0.1,
            uncertainty_kind="standard deviation over networks",
        ),
        MetricValue(name="psnr", value=9, n=4, uncertainty=1, uncertainty_kind="over images"),
    ]
    axes: dict[str, Any] = {"x": "model_kwargs.width"}
    assert points(figure(**axes, y="ssim"), found([one]), [])[0].error == 0.1
    assert points(figure(**axes, y="ssim", error="sem"), found([one]), [])[0].error == 0.05
    assert points(figure(**axes, y="ssim", error="none"), found([one]), [])[0].error == 0
    assert points(figure(**axes, y="psnr"), found([one]), [])[0].error == 0


def test_texts_with_numbers_are_sorted_by_the_numbers() -> None:
    names = ["b.10", "b.9", "a", 3, None, 20.0, "declared"]
    ordered = sorted(names, key=lambda value: sort_key(value, ["declared"]))
    assert ordered == [None, "declared", 3, 20.0, "a", "b.9", "b.10"]
