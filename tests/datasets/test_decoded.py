"""The cache of decoded images, and runs on a part of a dataset."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rbench_plugins.datasets import decoded, folders, image_folder

import rbench
from rbench import DataContext, ImageData, MemoryImages, UserError
from rbench.plugin.subset import test_choice as choose_test
from rbench.plugin.subset import train_choice


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three classes with 12 training and 5 test images each, 6 x 8 pixels of noise."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 5)):
        for name in ("ant", "bee", "cow"):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return tmp_path / "data"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(decoded, "WORTH_SECONDS", 0)
    return tmp_path / "cache" / "decoded"


def opened(root: Path, **given: Any) -> ImageData:
    return image_folder.COMPONENT.open(
        DataContext(data_dir=root, **given), image_folder.FolderOptions()
    )


def memory(images: object) -> MemoryImages:
    assert isinstance(images, MemoryImages)
    return images


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are decoded."""
    found: list[str] = []
    original = folders.open_image

    def counted(path: Path, mode: Any) -> Image.Image:
        found.append(path.name)
        return original(path, mode)

    monkeypatch.setattr(folders, "open_image", counted)
    return found


def test_only_the_images_of_the_run_are_decoded(root: Path, reads: list[str]) -> None:
    data = opened(root, limit=7, limit_test=6)
    assert len(reads) == 7 + 6
    whole = opened(root)
    train, test = memory(data.train), memory(data.test)
    names = list(memory(whole.train).names)
    chosen = train_choice(36, 7)
    assert chosen is not None
    assert list(train.names) == [names[index] for index in chosen.pick()]
    assert torch.equal(train.pixels, memory(whole.train).pixels[chosen.pick()])
    assert test.labels is not None
    assert test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.revision == whole.revision
    assert data.mean != whole.mean
    values = train.pixels.double() / 255
    assert data.mean == pytest.approx(values.mean((0, 2, 3)).tolist())


def test_the_training_subset_is_the_one_of_earlier_versions() -> None:
    """Committed records of limited runs stay valid."""
    choice = train_choice(1000, 5)
    assert choice is not None
    from rbench import generator

    order = torch.randperm(1000, generator=generator(0, "limit"))
    assert choice.pick() == order[:5].sort().values.tolist()
    assert train_choice(5, 5) is train_choice(5, None) is None


def test_test_images_are_chosen_evenly_by_class() -> None:
    labels = [0] * 50 + [1] * 30 + [2] * 2
    for limit in (3, 7, 30, 81):
        choice = choose_test(labels, limit)
        assert choice is not None
        counts = Counter(labels[index] for index in choice.pick())
        assert sum(counts.values()) == limit
        assert counts[2] == min(2, -(-limit // 3) if limit % 3 == 0 else limit // 3)
        assert counts[0] - counts[1] in (0, 1) or counts[1] == 30
    # A larger subset contains a smaller one.
    small, large = (choose_test(labels, limit) for limit in (10, 20))
    assert small is not None
    assert large is not None
    assert set(small.pick()) < set(large.pick())


def test_a_limited_run_of_an_unknown_set_is_told_by_its_normalization(root: Path) -> None:
    def identity(**given: Any) -> str:
        context = DataContext(data_dir=root, **given)
        return image_folder.COMPONENT.identity(context, image_folder.FolderOptions())

    whole = identity()
    assert identity(limit_test=3) == identity(limit=36) == whole
    assert identity(limit=7) == f"{whole} normalized by 7"
    streamed = image_folder.FolderOptions(stream=True)
    for limit in (None, 7):
        found = image_folder.COMPONENT.identity(DataContext(data_dir=root, limit=limit), streamed)
        assert found == f"{whole} streamed"


def test_a_limited_run_of_a_known_set_is_normalized_as_the_whole(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rbench.spec import registry

    whole = opened(root)
    table = {"contents": [whole.revision], "moments": {"3x6x8": {}}}
    table["moments"]["3x6x8"] = {"mean": [*whole.mean], "std": [*whole.std]}  # type: ignore[call-overload]
    monkeypatch.setattr(registry, "known_data", lambda: {whole.revision: "insects"})
    monkeypatch.setattr(registry, "read", lambda folder, name: table)
    limited = opened(root, limit=7)
    assert (limited.mean, limited.std) == (whole.mean, whole.std)
    context = DataContext(data_dir=root, limit=7)
    assert image_folder.COMPONENT.identity(context, image_folder.FolderOptions()) == whole.revision
    resized = DataContext(data_dir=root, limit=7, img_size=(4, 4))
    found = image_folder.COMPONENT.identity(resized, image_folder.FolderOptions())
    assert found == f"{whole.revision} normalized by 7"


def test_images_are_decoded_once(
    root: Path, cache: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(root)
    assert len(reads) == 36 + 15
    assert len(list(cache.iterdir())) == 2
    reads.clear()
    again = opened(root)
    assert not reads
    for one, other in ((first.train, again.train), (first.test, again.test)):
        assert torch.equal(memory(one).pixels, memory(other).pixels)
        assert torch.equal(memory(one).labels, memory(other).labels)  # type: ignore[arg-type]
        assert memory(one).names == memory(other).names
    assert (first.mean, first.std, first.revision) == (again.mean, again.std, again.revision)
    # A part comes out of the whole.
    part = opened(root, limit=7, limit_test=6)
    assert not reads
    monkeypatch.setenv("RBENCH_CACHE", str(cache.parent / "other"))
    assert torch.equal(memory(opened(root, limit=7).train).pixels, memory(part.train).pixels)
    # In another form they are others.
    assert memory(opened(root, img_size=(4, 4)).train).pixels.shape[2:] == (4, 4)
    assert memory(opened(root, in_chans=1).train).pixels.shape[1] == 1


def test_another_content_is_not_taken_from_the_cache(root: Path, cache: Path) -> None:
    first = opened(root)
    path = root / "train" / "ant" / "0.png"
    Image.new("RGB", (8, 6), (1, 2, 3)).save(path)
    again = opened(root)
    assert memory(again.train).pixels[0, :, 0, 0].tolist() == [1, 2, 3]
    assert torch.equal(memory(again.train).pixels[1:], memory(first.train).pixels[1:])


@pytest.mark.parametrize("damage", ["empty", "cut", "noise"])
def test_a_damaged_file_of_the_cache_is_made_again(root: Path, cache: Path, damage: str) -> None:
    first = opened(root)
    for path in cache.iterdir():
        content = path.read_bytes()
        path.write_bytes({"empty": b"", "cut": content[:-9], "noise": b"\xff" * 99}[damage])
    again = opened(root)
    assert torch.equal(memory(first.train).pixels, memory(again.train).pixels)
    assert len(list(cache.iterdir())) == 2


def test_the_pixels_of_the_cache_can_be_changed_without_changing_it(
    root: Path, cache: Path
) -> None:
    opened(root)
    data = memory(opened(root).train)
    before = data.pixels.clone()
    data.pixels.zero_()
    assert torch.equal(memory(opened(root).train).pixels, before)


def test_broken_images_and_the_cache(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = root / "train" / "bee" / "3.png"
    bad.write_bytes(b"no image")
    for _ in range(2):
        notes: list[str] = []
        data = opened(root, skip_bad=True, note=notes.append)
        assert len(memory(data.train)) == 35
        assert data.skipped == [f"{bad} is not an image"]
        assert notes[0].startswith("1 images cannot be read and were left out")
        with pytest.raises(UserError, match=r"bee/3.png is not an image \(--skip-bad"):
            opened(root)
    # A limited run takes another image in the place of a broken one, cached or not.
    limits = [limit for limit in range(1, 36) if _contains(limit, "train/bee/3.png", root)]
    cached = opened(root, skip_bad=True, limit=limits[0])
    assert len(memory(cached.train)) == limits[0]
    monkeypatch.setenv("RBENCH_CACHE", str(cache.parent / "other"))
    again = opened(root, skip_bad=True, limit=limits[0])
    assert memory(again.train).names == memory(cached.train).names
    assert torch.equal(memory(again.train).pixels, memory(cached.train).pixels)
    assert again.skipped == cached.skipped == [f"{bad} is not an image"]


def _contains(limit: int, name: str, root: Path) -> bool:
    choice = train_choice(36, limit)
    assert choice is not None
    names = sorted(p.relative_to(root).as_posix() for p in (root / "train").rglob("*.png"))
    return name in [names[index] for index in choice.pick()]


def test_the_oldest_files_make_room(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in (4, 5, 6):
        opened(root, img_size=(side, side))
    ages = sorted(cache.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for age, path in enumerate(ages):
        os.utime(path, (1e9 + age, 1e9 + age))
    opened(root, img_size=(4, 4))  # used again
    used = {path for path in ages if path.stat().st_mtime > 1.5e9}
    assert len(used) == 2
    kept = sum(path.stat().st_size for path in used)
    monkeypatch.setattr(decoded, "MOST_BYTES", kept + 36 * 3 * 49 + 1000)
    opened(root, img_size=(7, 7), limit_test=1)
    assert used < set(cache.iterdir())
    assert not set(ages) - used & set(cache.iterdir())


def _open_in_process(root: str, queue: Any) -> None:
    decoded.WORTH_SECONDS = 0
    data = opened(Path(root))
    queue.put((data.mean, int(memory(data.train).pixels.long().sum())))


def test_several_processes_fill_the_cache_at_once(root: Path, cache: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [
        context.Process(target=_open_in_process, args=(str(root), queue)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    answers = {queue.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    data = opened(root)
    assert answers == {(data.mean, int(memory(data.train).pixels.long().sum()))}
    assert len(list(cache.iterdir())) == 2


def test_a_limited_run_trains_on_its_images(root: Path, tmp_path: Path) -> None:
    (record,) = rbench.run(
        model="test_resnet",
        dataset="image_folder",
        data_dir=str(root),
        metrics=["top1"],
        limit=10,
        training={"epochs": 1, "batch_size": 5},
        output=str(tmp_path / "records"),
    )
    assert record.data is not None
    assert (record.data.train_images, record.data.test_images) == (36, 15)
    assert not record.comparable
