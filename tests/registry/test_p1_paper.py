"""P1's claims: every one finds its records, and is judged the right way round."""

from __future__ import annotations

from typing import Any

import pytest

from rbench.plugin.catalog import Catalog
from rbench.records.record import Record
from rbench.report.compare import Report, papers, report
from rbench.report.leaderboard import from_records, make_tables
from tests.helpers.synthetic_records import digest, record

(P1,) = (paper for paper in papers() if paper.name == "p1")


def run(model: str, task: str, values: dict[str, float], seed: int = 0, **options: Any) -> Record:
    """A record; options are ``model_width=64`` or ``task_train=True``."""
    made = record(model, "none", seed, dict(values))
    catalog = Catalog.from_environment()
    for kind, component in (
        ("model", catalog.architecture(model)),
        ("task", catalog.task(task)),
    ):
        given = {k.partition("_")[2]: v for k, v in options.items() if k.startswith(f"{kind}_")}
        filled = component.options.model_validate({**getattr(component, "defaults", {}), **given})
        made.resolved[kind] = {
            "name": component.name,
            "revision": 1,
            "options": filled.model_dump(mode="json"),
        }
    made.resolved["dataset"] = {"name": "plain_folder", "options": {}, "img_size": [64, 64]}
    made.digest = digest(made.resolved)
    made.protocol = "p"
    return made


def verdicts(*records: Record) -> dict[str, str]:
    made: Report = report(make_tables(from_records(records)), [P1])
    from rbench.report.compare import to_json

    return {
        entry["id"]: entry["verdict"]
        for entry in to_json(made)
        if entry["verdict"] not in ("not measured", "not comparable")
    }


def test_the_claims_are_there() -> None:
    ids = {claim.id.partition("/")[0] for claim in P1.claim}
    assert ids >= {"fig5", "fig6", "fig7a", "fig7b", "fig7c", "fig10a", "fig10b", "fig10c"}
    assert ids >= {"fig11a", "fig11b", "fig15", "theorem1", "theorem3", "theorem4", "theorem10"}


@pytest.mark.parametrize("sign", [1, -1])
def test_width_depth_and_kernel(sign: int) -> None:
    found = verdicts(
        *(
            run("rrvgg", "reconstruction", {"ssim": 0.4 + sign * w / 1000}, model_width=w)
            for w in (4, 16, 64)
        ),
        *(
            run("rrvgg", "reconstruction", {"ssim": 0.5 - sign * w / 100}, model_depth=2, **at)
            for w, at in ((4, {"model_width": 4}), (16, {"model_width": 16}))
        ),
        *(
            run("rrvgg_mean", "reconstruction", {"ssim": 0.4 + sign * w / 1000}, model_width=w)
            for w in (4, 16, 64)
        ),
        *(
            run(
                "rrvgg",
                "reconstruction",
                {"ssim": 0.4 - sign * k / 100},
                model_conv="conv1_1",
                model_kernel_size=k,
            )
            for k in (3, 5, 7)
        ),
    )
    expected = "holds (one seed)" if sign == 1 else "does not hold (one seed)"
    for claim in ("fig7a/rises-with-width", "fig7b/rises-with-width", "fig7c/falls-with-kernel"):
        assert found[claim] == expected, (claim, found)


@pytest.mark.parametrize("sign", [1, -1])
def test_training_and_theory(sign: int) -> None:
    error = "squared_error_validation"
    found = verdicts(
        run("vgg_dcn", "reconstruction", {error: 100.0 + sign}, task_train=True, model_depth=2),
        run("rwvgg", "reconstruction", {error: 100.0}, task_train=True, model_depth=2),
        *(
            run("random_cnn", "forward", {"theory_sin_rms": 1 - sign * w / 100}, model_width=w)
            for w in (16, 32, 64)
        ),
        run("rrvgg", "stylization", {"seconds_per_image": 9.0 + sign}, task_method="gatys"),
        run("rrvgg", "stylization", {"seconds_per_image": 9.0}, task_method="fvt"),
    )
    expected = "holds (one seed)" if sign == 1 else "does not hold (one seed)"
    for claim in (
        "fig10a/random-ends-lower-vgg",
        "theorem1/angle-falls-with-width",
        "fig15/fvt-faster-than-gatys",
    ):
        assert found[claim] == expected, (claim, found)
