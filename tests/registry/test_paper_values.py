"""P2's Tables 1, 2 and 3 cell by cell: the numbers as the paper prints them, and where they stand.

The tables are written out here a second time, row by row as in the paper, so that a number that
was copied wrongly, or put under another network, shows.
"""

from __future__ import annotations

from rbench.report.compare.declaration import Value, read_paper

TABLE_1 = {
    # baseline, learnable; LC x128, learnable; LC x128, frozen random
    "cifar10": ((91.60, 0.23), (91.39, 0.29), (91.89, 0.10)),
    "cifar100": ((60.84, 0.52), (59.44, 0.55), (61.31, 0.74)),
    "fashion_mnist": ((93.65, 0.18), (93.44, 0.18), (93.65, 0.06)),
    "svhn": ((96.36, 0.04), (96.31, 0.08), (96.34, 0.11)),
}
TABLE_2 = {
    # frozen random, top-1 and top-5; learnable, top-1 and top-5
    "baseline": ((37.85, 61.37), (72.60, 90.69)),
    "lc1": ((61.28, 83.11), (71.82, 90.44)),
    "lc8": ((71.30, 90.03), (71.88, 90.40)),
    "lc64": ((72.46, 90.57), (71.94, 90.41)),
    "lc128": ((72.31, 90.64), None),  # did not fit in the memory of four A100
}
TABLE_3 = {
    # frozen random; learnable
    "none": ((91.71, 0.08), (91.18, 0.10)),
    "relu": ((92.78, 0.31), (93.38, 0.15)),
    "bn": ((91.50, 0.15), (91.06, 0.23)),
    "bn-relu": ((93.26, 0.18), (94.72, 0.16)),
}
FREEZE = {"frozen": "spatial", "learnable": "none"}


def declared(table: int) -> dict[str, Value]:
    return {v.id: v for v in read_paper("p2").value if v.id.startswith(f"table{table}/")}


def test_table_1_has_the_papers_accuracies_and_errors_over_four_runs() -> None:
    values = declared(1)
    arms = {"baseline": ("none", None), "lc128-learnable": ("none", 128)}
    arms["lc128-frozen"] = ("spatial", 128)
    assert {name: (v.value, v.error, v.n, v.metric) for name, v in values.items()} == {
        f"table1/{dataset}/{arm}": (*cell, 4, "top1")
        for dataset, cells in TABLE_1.items()
        for arm, cell in zip(arms, cells, strict=True)
    }
    for name, value in values.items():
        _, dataset, arm = name.split("/")
        assert (value.where["freeze"], value.where.get("model.expansion")) == arms[arm], name
        assert {**value.where, **value.paper}["dataset"] == dataset, name
        assert value.protocol == "low_resolution", name


def test_table_2_has_the_papers_top_1_and_top_5_of_single_runs() -> None:
    values = declared(2)
    assert {name: (v.value, v.error, v.n, v.metric) for name, v in values.items()} == {
        f"table2/{network}-{arm}/{metric}": (value, None, 1, metric)
        for network, cells in TABLE_2.items()
        for arm, cell in zip(("frozen", "learnable"), cells, strict=True)
        if cell is not None
        for metric, value in zip(("top1", "top5"), cell, strict=True)
    }
    for name, value in values.items():
        network, _, arm = name.split("/")[1].partition("-")
        expansion = None if network == "baseline" else int(network.removeprefix("lc"))
        assert value.where["freeze"] == FREEZE[arm], name
        assert value.where.get("model.expansion") == expansion, name
        assert (value.where["dataset"], value.protocol) == ("imagenet", "imagenet"), name


def test_table_3_has_the_papers_accuracies_and_errors_by_operation() -> None:
    values = declared(3)
    assert {name: (v.value, v.error, v.n, v.metric) for name, v in values.items()} == {
        f"table3/{between}-{arm}": (*cell, 4, "top1")
        for between, cells in TABLE_3.items()
        for arm, cell in zip(("frozen", "learnable"), cells, strict=True)
    }
    for name, value in values.items():
        between, _, arm = name.split("/")[1].rpartition("-")
        assert value.where["freeze"] == FREEZE[arm], name
        assert value.where["model.between"] == between.replace("-", "_"), name
        assert value.where["model.expansion"] == 64, name
        assert {**value.where, **value.paper}["dataset"] == "cifar10", name
