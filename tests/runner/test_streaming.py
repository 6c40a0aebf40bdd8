"""Training from files through timm's transforms, as ImageNet does it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rbench_plugins.datasets import image_folder

import rbench as rb
from rbench import MemoryImages, UserError
from rbench.plugin import file_loader
from rbench.plugin.catalog import Catalog
from rbench.plugin.data import FileImages, ImageData
from rbench.plugin.recipe import Training
from rbench.runner.batches import training_batches
from rbench.runner.load_data import open_data
from rbench.spec.resolve import resolve


def files(count: int = 8) -> FileImages:
    rng = np.random.default_rng(0)
    pictures = [
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)) for _ in range(count)
    ]

    def prepare(image: Image.Image) -> torch.Tensor:
        small = np.asarray(image.resize((16, 16)), dtype=np.float32) / 255
        return torch.from_numpy(small).permute(2, 0, 1)

    return FileImages(pictures.__getitem__, prepare, [i % 2 for i in range(count)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, 8 training and 4 test images each, of noise in two shapes."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("test", 4)):
        for name in ("a", "b"):
            place = tmp_path / "data" / split / name
            place.mkdir(parents=True)
            for index in range(count):
                shape = (20, 30, 3) if index % 2 else (16, 16, 3)
                pixels = rng.integers(0, 256, shape, dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{index}.png")
    return tmp_path / "data"


def opened(folder: Path, stream: bool, in_chans: int | None = None, **options: Any) -> ImageData:
    return image_folder.COMPONENT.open(
        rb.DataContext(data_dir=folder, img_size=(16, 16), in_chans=in_chans),
        image_folder.FolderOptions(stream=stream, **options),
    )


@pytest.mark.parametrize(
    ("options", "recipe", "in_chans"),
    [
        ({}, {}, None),
        ({"hflip": 0, "crop_pad": 0}, {}, None),
        ({"hflip": 0, "crop_pad": 5}, {}, 1),
        ({"hflip": 1}, {"crop_pad": 3}, None),
        ({"crop_pad": 0}, {"hflip": 0.5, "crop_pad": 1}, None),
    ],
)
def test_streamed_and_in_memory_the_network_sees_the_same_pixels(
    folder: Path, options: dict[str, Any], recipe: dict[str, Any], in_chans: int | None
) -> None:
    training = Training(epochs=2, batch_size=4, lr=0.1, **recipe)
    for epoch in (0, 1):
        seen = []
        for stream in (False, True):
            data = opened(folder, stream, in_chans, **options)
            loader = training_batches(
                data, training, seed=3, device=torch.device("cpu"), workers=0, limit=13
            )
            seen.append(list(loader.epoch(epoch, start=1)))
        assert len(seen[0]) == len(seen[1]) == 2
        for one, other in zip(*seen, strict=True):
            assert torch.equal(one.images, other.images)
            assert one.labels is not None
            assert other.labels is not None
            assert torch.equal(one.labels, other.labels)


@pytest.mark.slow
def test_a_flip_that_the_set_forbids_is_not_made_where_it_is_streamed(tmp_path: Path) -> None:
    """Bright to the left or to the right: one class is the other's mirror image."""
    for split in ("train", "test"):
        for name, index in itertools.product(("left", "right"), range(8)):
            pixels = np.full((16, 16, 3), 10 * index, dtype=np.uint8)
            half = slice(0, 8) if name == "left" else slice(8, 16)
            pixels[:, half] = 180 + index
            place = tmp_path / split / name
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place / f"{index}.png")
    for stream in (False, True):
        (record,) = rb.run(
            "test_resnet",
            dataset="image_folder",
            data_dir=str(tmp_path),
            dataset_kwargs={"stream": stream, "hflip": 0, "crop_pad": 0, "crop_pct": 1.0},
            img_size=16,
            epochs=8,
            batch_size=8,
            lr=0.05,
            amp=False,
            workers=0,
            metrics=("top1",),
        )
        assert record.metric("top1").value == 100


def test_random_resized_crops_are_what_the_recipe_says() -> None:
    """With scale 1 and timm's range of shapes a crop has most of the image; in memory: refused."""
    images = files()
    data = ImageData(name="files", revision="0", in_chans=3, img_size=(16, 16), train=images)
    means = []
    for scale in ((0.05, 0.06), (1.0, 1.0)):
        training = Training(epochs=1, batch_size=8, lr=0.1, scale=scale)
        loader = training_batches(data, training, seed=0, device=torch.device("cpu"), workers=0)
        (batch,) = loader.epoch(0)
        # Small crops of noise are enlarged, and so smoother than large ones, which are averaged.
        means.append(float((batch.images[..., 1:] - batch.images[..., :-1]).abs().mean()))
    assert means[0] != means[1]
    pixels = MemoryImages(torch.zeros(8, 3, 16, 16, dtype=torch.uint8), torch.zeros(8).long())
    in_memory = replace(data, train=pixels, class_names=["a"])
    with pytest.raises(UserError, match="--scale works on streamed images; files is in memory"):
        training_batches(in_memory, training, seed=0, device=torch.device("cpu"))


@pytest.mark.parametrize("scale", [(0.0, 1.0), (0.5, 0.4), (0.5, 1.1)])
def test_an_impossible_scale(scale: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="expected 0 < least <= most <= 1"):
        Training(epochs=1, batch_size=1, lr=1, scale=scale)
    with pytest.raises(ValueError, match="two kinds of random crop"):
        Training(epochs=1, batch_size=1, lr=1, scale=(0.5, 1), crop_pad=4)


def test_recipes_without_random_resized_crops_keep_their_digests() -> None:
    assert "scale" not in Training(epochs=1, batch_size=1, lr=1).model_dump(mode="json")


def test_workers_of_the_run_read_the_test_images_too(folder: Path) -> None:
    for workers in (0, 3):
        spec = rb.RunSpec(
            model="test_resnet",
            dataset="image_folder",
            data_dir=str(folder),
            img_size=16,
            dataset_kwargs={"stream": True},
            workers=workers,
        )
        data, _ = open_data(resolve(spec, Catalog.from_environment()))
        for images in (data.train, data.test):
            assert isinstance(images, FileImages)
            assert images.workers == workers


def test_a_small_shared_memory_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batches are the same, and none of the workers' tensors is in shared memory."""
    images = opened(folder, stream=True).test
    assert isinstance(images, FileImages)
    found, shared = [], []
    for free in (float("inf"), 1000):
        monkeypatch.setattr(file_loader, "_free_shared_memory", lambda free=free: free)
        batches = list(images.batches(3, torch.device("cpu")))
        found.append(torch.cat([batch.images for batch in batches]))
        shared.append(any(batch.images.is_shared() for batch in batches))
    assert torch.equal(*found)
    assert shared == [True, False]


def test_a_file_that_breaks_during_training_is_one_line(folder: Path) -> None:
    images = opened(folder, stream=True).train
    assert isinstance(images, FileImages)
    broken = folder / "train" / "b" / "3.png"
    broken.write_bytes(broken.read_bytes()[:100])
    for workers in (0, 2):
        images.workers = workers
        with pytest.raises(UserError, match=r"^cannot read .*/train/b/3.png: [^\n]*$"):
            list(images.batches(4, torch.device("cpu")))


def batches(
    workers: int,
    rank: int = 0,
    processes: int = 1,
    repeats: int = 0,
    aa: str = "rand-m7-mstd0.5-inc1",
) -> list[rb.Batch]:
    images = files()
    data = ImageData(
        name="files",
        revision="0",
        in_chans=3,
        img_size=(16, 16),
        train=images,
        test=images,
        class_names=["a", "b"],
    )
    training = Training(epochs=1, batch_size=4, lr=0.1, aa=aa, reprob=0.25, aug_repeats=repeats)
    loader = training_batches(
        data,
        training,
        seed=0,
        device=torch.device("cpu"),
        rank=rank,
        processes=processes,
        workers=workers,
    )
    return list(loader.epoch(0))


def test_augmented_images_depend_on_neither_workers_nor_processes() -> None:
    alone, helped = batches(0), batches(2)
    for one, other in zip(alone, helped, strict=True):
        assert torch.equal(one.images, other.images)
    for whole, left, right in zip(alone, batches(0, 0, 2), batches(0, 1, 2), strict=True):
        assert torch.equal(whole.images, torch.cat([left.images, right.images]))


def test_streaming_leaves_the_global_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    batches(0)
    assert torch.equal(before, torch.random.get_rng_state())


def test_repeated_augmentation_shows_fewer_images_more_often() -> None:
    labels = [batch.labels for batch in batches(0, repeats=3)]
    assert all(part is not None and len(part) == 4 for part in labels)
    plain, repeated = batches(0), batches(0, repeats=3)
    assert sum(len(b.images) for b in plain) == sum(len(b.images) for b in repeated)


def test_every_test_image_once_from_files() -> None:
    images = files(7)
    seen = [batch.images for batch in images.batches(3, torch.device("cpu"))]
    assert [len(part) for part in seen] == [3, 3, 1]
    assert torch.equal(torch.cat(seen)[4], images[4][0])


@pytest.mark.slow
def test_a_recipe_of_imagenets_kind_trains(tmp_path: Path) -> None:
    """LAMB, BCE, mixup, CutMix, RandAugment, repeated augmentation, drop path: timm's A2."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("dark", "light"):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for i in range(6):
                top = 90 if name == "dark" else 255
                size = (40 + i, 48, 3)
                Image.fromarray(rng.integers(0, top, size, dtype=np.uint8)).save(
                    folder / f"{i}.png"
                )
    (record,) = rb.run(
        "resnet10t",
        dataset="image_folder",
        data_dir=str(tmp_path),
        dataset_kwargs={"stream": True},
        img_size=32,
        recipe="a2",
        epochs=2,
        warmup_epochs=1,
        batch_size=4,
        workers=0,
        amp=False,
        freeze="spatial",
        metrics=("top1",),
    )
    assert record.status == "done", record.error
    assert record.metric("top1").n == 12


@pytest.mark.slow
def test_an_untrained_resnet_says_that_its_branches_are_silent() -> None:
    (record,) = rb.run("resnet10t", task_kwargs={"train": False}, metrics=("top1",))
    assert any("zero_init_last" in note for note in record.notes)
    (drawn,) = rb.run(
        "resnet10t",
        model_kwargs={"zero_init_last": False},
        task_kwargs={"train": False},
        metrics=("top1",),
    )
    assert not any("zero_init_last" in note for note in drawn.notes)
