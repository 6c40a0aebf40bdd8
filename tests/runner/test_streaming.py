"""Training from files through timm's transforms, as ImageNet does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

import rbench as rb
from rbench.plugin.data import FileImages, ImageData
from rbench.plugin.recipe import Training
from rbench.runner.batches import training_batches


def files(count: int = 8) -> FileImages:
    rng = np.random.default_rng(0)
    pictures = [
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)) for _ in range(count)
    ]

    def prepare(image: Image.Image) -> torch.Tensor:
        small = np.asarray(image.resize((16, 16)), dtype=np.float32) / 255
        return torch.from_numpy(small).permute(2, 0, 1)

    return FileImages(pictures.__getitem__, prepare, [i % 2 for i in range(count)])


def batches(workers: int, rank: int = 0, processes: int = 1, repeats: int = 0) -> list[rb.Batch]:
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
    training = Training(
        epochs=1, batch_size=4, lr=0.1, aa="rand-m7-mstd0.5-inc1", reprob=0.25, aug_repeats=repeats
    )
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
