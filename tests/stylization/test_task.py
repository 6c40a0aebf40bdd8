"""The whole task, its data, its metrics and the command line, on tiny images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from rbench_plugins.datasets.content_style import COMPONENT as DATA
from rbench_plugins.datasets.content_style import ContentStyleOptions
from rbench_plugins.datasets.functions.content_style import open_pairs
from rbench_plugins.datasets.identity.content_style import identity

import rbench as face
from tests.conftest import Rbench

TINY = {"steps": 2, "widths": [4, 4, 4, 4], "kernel": 3, "margin": 4}
WORDS = ("run", "--task", "stylization", "--model", "rrvgg", "--model-kwargs", "width=8")
QUICK = ("--task-kwargs", "steps=2", "widths=[4,4,4,4]", "--img-size", "32")


def write(path: Path, size: tuple[int, int] = (40, 32), mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(skimage.data.chelsea()).resize(size).convert(mode).save(path)
    return path


def run(**changes: object) -> face.Record:
    spec = {
        "model": "rrvgg",
        "model_kwargs": {"width": 8},
        "task": "stylization",
        "dataset_kwargs": {"content": ["chelsea"], "style": ["brick", "grass"]},
        "img_size": 32,
        "task_kwargs": TINY,
    } | changes
    (record,) = face.run(**spec, output=None)
    return record


@pytest.mark.parametrize("method", ["fvt", "gatys", "adain", "wct"])
def test_every_method_yields_all_metrics(method: str) -> None:
    record = run(task_kwargs={**TINY, "method": method})
    assert record.status == "done", record.error
    names = [m.name for m in record.metrics]
    assert names == [
        "style_gram",
        "style_moment",
        "style_gram_content",
        "content_ssim",
        "content_distance",
        "seconds_per_image",
        "passes_per_image",
    ]
    assert record.metric("style_gram").n == 2
    iterative = method in ("fvt", "gatys")
    assert len(record.history.get("style_loss", [])) == (3 if iterative else 0)
    assert record.metric("passes_per_image").value == {"fvt": 11, "gatys": 8}.get(method, 5)


def test_closed_forms_bring_the_style_nearer() -> None:
    record = run(task_kwargs={**TINY, "method": "wct"})
    found, content = record.metric("style_gram"), record.metric("style_gram_content")
    assert found.value is not None
    assert content.value is not None
    assert found.value < content.value


@pytest.mark.slow
def test_networks_differ_and_the_first_is_the_one_that_was_built() -> None:
    one = run()
    three = run(task_kwargs={**TINY, "networks": 3})
    assert three.network_sha256 == three.result_sha256 == one.network_sha256
    assert three.metric("diversity_rms").value > 0.005  # type: ignore[operator]
    assert 0 < three.metric("diversity_ssim").value < 1  # type: ignore[operator]
    assert three.metric("diversity_rms").details == {"networks": 3}


@pytest.mark.slow
def test_the_same_run_gives_the_same_numbers() -> None:
    first, second = run(), run()
    assert first.digest == second.digest
    assert first.metric("style_gram").value == second.metric("style_gram").value
    assert run(seed=1).metric("style_gram").value != first.metric("style_gram").value


@pytest.mark.slow
def test_command_line_with_files_of_any_kind(rbench: Rbench, tmp_path: Path) -> None:
    write(tmp_path / "cat.png", (60, 40))
    write(tmp_path / "grey.png", (33, 50), "L")
    write(tmp_path / "see.png", (90, 90), "RGBA")
    done = rbench(
        *WORDS, "--dataset-kwargs", "content=cat.png,grey.png", "style=see.png", *QUICK, "--json"
    )
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert record["data"]["test_images"] == 2
    assert [a["file"].split("/")[-1] for a in record["artifacts"]] == [
        "stylization.jpg",
        "outputs.jpg",
    ]
    sheet = Image.open(tmp_path / "results" / record["artifacts"][0]["file"])
    assert sheet.width == 2 * 36 + 4
    assert (
        "loss" in rbench(*WORDS, "--dataset-kwargs", "style=see.png", *QUICK, "--seed", "1").stderr
    )


def test_one_pair_is_also_saved_alone(rbench: Rbench, tmp_path: Path) -> None:
    write(tmp_path / "cat.png", (60, 40))
    words = ("--task-kwargs", "steps=1", "widths=[4,4,4,4]", "--json")
    done = rbench(*WORDS, "--dataset-kwargs", "content=cat.png", "style=brick", *words)
    (record,) = json.loads(done.stdout)
    picture = tmp_path / "results" / record["artifacts"][2]["file"]
    assert Image.open(picture).size == (60, 40)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--dataset-kwargs", "content=gone.jpg"), "content gone.jpg: there is no such file"),
        (("--dataset-kwargs", "style=bricks"), "unknown style image 'bricks'; did you mean brick"),
        (("--dataset-kwargs", "content=text.jpg"), "text.jpg is not an image"),
        (("--dataset-kwargs", "content=broken.png"), "cannot read broken.png"),
        (("--dataset-kwargs", "content=tiny.png"), "are too small: 16 a side at least"),
        (("--dataset-kwargs", "content=empty"), "content empty: the folder has no image"),
        (("--data-dir", "."), "has no folder content/"),
        (("--img-size", "9000"), "at most 8192 pixels a side"),
        (("--in-chans", "1"), "content_style is in color"),
        (("--task-kwargs", "ratio=-1"), "ratio = -1"),
        (("--task-kwargs", "style_layers=[6]"), "layers are 1 to 5"),
        (("--task-kwargs", "kernel=4"), "odd side"),
        (("--task-kwargs", "loss_weights=vgg.pth"), "random, pretrained, or a .safetensors file"),
        (("--task-kwargs", "loss_weights=g.safetensors"), "cannot be read"),
        (("--epochs", "3"), "takes no recipe"),
        (("--metrics", "top1"), "reads a ClassificationOutcome"),
    ],
)
def test_bad_input(rbench: Rbench, tmp_path: Path, words: tuple[str, ...], line: str) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    whole = write(tmp_path / "cat.png", (60, 40)).read_bytes()
    (tmp_path / "broken.png").write_bytes(whole[: len(whole) // 2])
    write(tmp_path / "tiny.png", (9, 9))
    (tmp_path / "empty").mkdir()
    done = rbench(*WORDS, *words)
    assert done.returncode == 2, done.stderr
    assert line in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("results/*.json"))


def test_memory_is_estimated_first(rbench: Rbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rbench_plugins.stylization.run.free_bytes", lambda device: 2**20)
    done = rbench(*WORDS, "--dataset-kwargs", "content=chelsea", "style=brick", "--img-size", "128")
    assert done.returncode == 2
    assert "128x128 pixels need about" in done.stderr
    assert "at most --img-size 1" in done.stderr


def test_a_model_without_a_decoder_is_refused(rbench: Rbench) -> None:
    done = rbench("run", "--task", "stylization", "--model", "resnet10t", "--img-size", "32")
    assert done.returncode == 2
    assert "has no encode and no decode; rrvgg has both" in done.stderr


def test_folders_and_shapes(tmp_path: Path) -> None:
    write(tmp_path / "content" / "a.png", (60, 40))
    write(tmp_path / "content" / "b.png", (90, 60))
    write(tmp_path / "style" / "s.png", (50, 50))
    (tmp_path / "style" / "README").write_text("no image")
    context = face.DataContext(data_dir=tmp_path)
    data = open_pairs(context, ContentStyleOptions(style_scale=2.0))
    assert data.test.pixels.shape == (2, 3, 40, 60)
    assert data.train.pixels.shape == (1, 3, 80, 120)
    assert list(data.test.names) == ["a", "b"]
    np.testing.assert_array_equal(
        data.test.pixels[0].permute(1, 2, 0).numpy(), Image.open(tmp_path / "content" / "a.png")
    )
    write(tmp_path / "content" / "c.png", (40, 60))
    notes: list[str] = []
    context = face.DataContext(data_dir=tmp_path, note=notes.append)
    assert open_pairs(context, ContentStyleOptions()).test.pixels.shape == (3, 3, 40, 40)
    assert "squares of 40 pixels" in notes[0]


def test_identity_is_of_content_and_not_of_path(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a.png"), tmp_path / "b.png"
    two.write_bytes(one.read_bytes())
    context = face.DataContext()
    first, second = (ContentStyleOptions(content=(str(path),)) for path in (one, two))
    assert identity(context, first) == identity(context, second)
    assert first.model_dump() == second.model_dump()
    write(two, (41, 32))
    assert identity(context, first) != identity(context, second)


def test_defaults_are_scikit_images_photographs_and_textures() -> None:
    data = DATA.open(face.DataContext(img_size=(16, 16)), ContentStyleOptions())
    assert list(data.test.names) == ["astronaut", "chelsea", "coffee"]
    assert len(data.train) == 5
