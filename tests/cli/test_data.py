"""``rbench data``: datasets are shown and prepared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rbench_plugins.datasets import decoded, folders

from tests.conftest import Rbench

SUITE = """
name = "small"
summary = "Two runs on one dataset, and one on digits."
seeds = 2
[base]
model = "test_resnet"
[[grid]]
dataset = "image_folder"
img_size = 8
freeze = ["none", "spatial"]
[[grid]]
dataset = "digits"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 3)):
        for name in ("ant", "bee"):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return tmp_path / "data"


def test_show(rbench: Rbench, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = tmp_path / "samples.png"
    words = ("data", "show", "image_folder", "--output", str(sheet))
    done = rbench(*words, "--data-dir", str(root))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "image_folder: 12 train + 6 test images, 8x8 pixels, 3 channels"
    assert lines[1].startswith("revision sha256:")
    assert lines[3:5] == ["train: ant 6, bee 6", "test: ant 3, bee 3"]
    with Image.open(sheet) as image, Image.open(root / "train" / "ant" / "0.png") as first:
        assert image.size == (5 * 128, 128)
        assert (np.asarray(image)[::16, :128:16] == np.asarray(first)).all()
    monkeypatch.setenv("RBENCH_DATA", str(root))
    assert rbench(*words).stdout == done.stdout
    digits = rbench("data", "show", "digits")
    assert digits.stdout.startswith("digits: 1,437 train + 360 test images, 8x8 pixels, 1 channels")


def test_bad_input_is_one_line(rbench: Rbench, root: Path) -> None:
    for words, line in (
        (("data", "show", "digit"), "unknown dataset 'digit'; did you mean digits"),
        (("data", "show", "cifar10"), "the dataset cifar10 needs --data-dir, or RBENCH_DATA"),
        (("data", "show", "digits", "--output", "x.gif"), "--output x.gif: the pictures are"),
        (("data", "prepare", "no_suite"), "unknown suite 'no_suite'"),
    ):
        done = rbench(*words)
        assert done.returncode == 2
        assert line in done.stderr
        assert done.stderr.count("\n") == 1


def test_prepare_fills_the_cache_once(
    rbench: Rbench, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rbench.runner import load_data

    monkeypatch.setenv("RBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(decoded, "WORTH_SECONDS", 0)
    (tmp_path / "small.toml").write_text(SUITE)
    read: list[str] = []
    original = folders.open_image

    def counted(path: Path, mode: folders.Mode) -> Image.Image:
        read.append(path.name)
        return original(path, mode)

    monkeypatch.setattr(folders, "open_image", counted)
    printed = []
    for _ in range(2):
        load_data._open_data.cache_clear()
        done = rbench("data", "prepare", "small.toml", "--data-dir", str(root))
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
        assert len(read) == 18
    assert printed[0] == printed[1]
    lines = printed[0].splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("image_folder: 12 train + 6 test images of 3x8x8, sha256:")
    assert lines[0].endswith(f"MiB in {root}")
    assert lines[1].startswith("digits: 1,437 train + 360 test images of 1x8x8, sha256:")
    assert len(list((tmp_path / "cache" / "decoded").iterdir())) == 2
