"""The metric corruptions: made from a test set, read from published files, mCE."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from rbench_plugins.corruptions.make import corrupt
from rbench_plugins.corruptions.tables import ALEXNET, NAMES
from rbench_plugins.metrics.corruptions import COMPONENT, CorruptionsOptions
from rbench_plugins.metrics.functions.corruptions import mce
from torch import Tensor, nn

from rbench import MemoryImages, MetricContext, UserError
from tests.helpers.digit_classifier import digits, measure, outcome, trained


@pytest.mark.slow
def test_accuracy_is_counted_image_by_image() -> None:
    _, test = digits()
    assert test.labels is not None
    network = trained()
    values, notes = measure(COMPONENT, outcome(network, test), images=60)
    (value,) = values
    chosen = torch.arange(60) * 300 // 60
    (batch,) = test.batches(60, torch.device("cpu"), chosen)
    with torch.no_grad():
        shares = {
            name: [
                100
                * (
                    network(corrupt(batch.images, name, severity, numbers=chosen.tolist())).argmax(
                        1
                    )
                    == test.labels[chosen]
                )
                .double()
                .mean()
                .item()
                for severity in (1, 2, 3, 4, 5)
            ]
            for name in ("gaussian_noise", "contrast", "jpeg_compression")
        }
    for name, expected in shares.items():
        assert value.details["accuracy"][name] == pytest.approx(expected, abs=1e-3)
    every = [number for row in value.details["accuracy"].values() for number in row]
    assert len(every) == 75
    assert value.value == pytest.approx(np.mean(every), abs=1e-3)
    assert (value.name, value.unit, value.n) == ("corruptions", "%", 60)
    assert value.value < value.details["clean"]
    assert 0 < value.uncertainty < 100 / 60**0.5
    assert not notes


class Constant(nn.Module):
    """Knows 10 classes and always says the same one, except for bright images."""

    def forward(self, images: Tensor) -> Tensor:
        logits = torch.zeros(len(images), 10)
        logits[:, 3] = 1
        logits[images.mean((1, 2, 3)) > 0.5, 4] = 2
        return logits


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Like CIFAR-10-C, of 6 images: bright ones in severity 5 of fog only."""
    labels = np.tile(np.array([3, 3, 4, 3, 4, 3], dtype=np.uint8), 5)
    np.save(tmp_path / "labels.npy", labels)
    for name in NAMES:
        images = np.full((30, 8, 8, 3), 20, dtype=np.uint8)
        if name == "fog":
            images[24:] = 200
        np.save(tmp_path / f"{name}.npy", images)
    return tmp_path


@pytest.fixture
def small() -> MemoryImages:
    return MemoryImages(torch.zeros(9, 3, 8, 8, dtype=torch.uint8), torch.zeros(9).long())


def test_published_files_bring_their_own_images_and_labels(
    folder: Path, small: MemoryImages
) -> None:
    (value,), notes = measure(COMPONENT, outcome(Constant(), small), folder=folder)
    assert value.n == 6
    assert value.details["source"] == "published"
    accuracy = value.details["accuracy"]
    assert accuracy["snow"] == pytest.approx([100 * 4 / 6] * 5, abs=1e-3)
    assert accuracy["fog"] == pytest.approx([100 * 4 / 6] * 4 + [100 * 2 / 6], abs=1e-3)
    assert ["not those of the test set" in note for note in notes] == [True]
    labels = torch.tensor([3, 3, 4, 3, 4, 3])
    same = MemoryImages(small.pixels[:6], labels)
    _, silent = measure(COMPONENT, outcome(Constant(), same), folder=folder)
    assert not silent
    (part,), _ = measure(COMPONENT, outcome(Constant(), small), folder=folder, images=3)
    assert part.details["accuracy"]["snow"] == pytest.approx([100 / 3] * 5, abs=1e-3)  # 0, 2, 4


def test_wrong_folders_are_one_line(folder: Path, small: MemoryImages) -> None:
    grey = MemoryImages(small.pixels[:, :1], small.labels)
    with pytest.raises(UserError, match="RGB images, the network takes 1 channels"):
        measure(COMPONENT, outcome(Constant(), grey), folder=folder)
    large = MemoryImages(torch.zeros(9, 3, 16, 8, dtype=torch.uint8), small.labels)
    with pytest.raises(UserError, match=r"has images of 8x8 pixels, this run of 8x16; without"):
        measure(COMPONENT, outcome(Constant(), large), folder=folder)
    labels = np.load(folder / "labels.npy")
    np.save(folder / "labels.npy", np.where(labels == 4, 99, labels))
    with pytest.raises(UserError, match=r"labels from 3 to 99, the network tells 10 classes apart"):
        measure(COMPONENT, outcome(Constant(), small), folder=folder)
    np.save(folder / "labels.npy", labels)
    np.save(folder / "fog.npy", np.zeros((25, 8, 8, 3), dtype=np.uint8))
    with pytest.raises(UserError, match=r"fog\.npy has 25 images, labels.npy 30 labels"):
        measure(COMPONENT, outcome(Constant(), small), folder=folder)
    (folder / "fog.npy").unlink()
    with pytest.raises(UserError, match=r"cannot read .*fog\.npy"):
        measure(COMPONENT, outcome(Constant(), small), folder=folder)


def test_mce_is_the_mean_ratio_to_alexnet() -> None:
    errors = 100 * torch.tensor(list(ALEXNET.values()), dtype=torch.float64)[:, None]
    as_alexnet = mce(100 - errors.expand(15, 5), 10)
    assert as_alexnet.value == pytest.approx(100)
    half = mce(100 - errors.expand(15, 5) / 2, 10)
    assert half.value == pytest.approx(50)
    assert half.higher_is_better is False
    mixed = errors.expand(15, 5).clone()
    mixed[0] = 0
    assert mce(100 - mixed, 10).value == pytest.approx(100 * 14 / 15)


def test_a_picture_shows_every_corruption() -> None:
    saved: dict[str, Any] = {}

    class Kept:
        def save(self, name: str, image: Any, caption: str) -> None:
            saved[name] = image

    _, test = digits()
    context = MetricContext(
        seed=0,
        device=torch.device("cpu"),
        accelerator=cast(Any, None),
        artifacts=cast(Any, Kept()),
    )
    COMPONENT.measure(outcome(trained(5), test), context, CorruptionsOptions(images=2))
    image = saved["corruptions.png"]
    assert image.width > 15 * 160
    assert image.height > 3 * 160
