from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rbench_plugins.datasets import memory, photographs, plain_folder

from rbench import DataContext, ImageData, MemoryImages, UserError


def _save(path: Path, color: tuple[int, int, int], size: tuple[int, int] = (40, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


def _open(folder: Path, **fields: object) -> ImageData:
    context = DataContext(data_dir=folder, img_size=(16, 12), labels=False, **fields)  # type: ignore[arg-type]
    return plain_folder.COMPONENT.open(context, plain_folder.PlainFolderOptions())


def test_a_flat_folder_is_all_test_images(tmp_path: Path) -> None:
    _save(tmp_path / "b.png", (0, 255, 0), (1, 300))
    _save(tmp_path / "sub" / "c.png", (0, 0, 255))
    _save(tmp_path / "a.png", (255, 0, 0))
    data = _open(tmp_path)
    assert data.train is None
    assert isinstance(data.test, MemoryImages)
    assert list(data.test.names) == ["a.png", "b.png", "sub/c.png"]
    assert data.test.pixels.shape == (3, 3, 16, 12)
    assert data.test.pixels[:, :, 8, 6].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert data.num_classes == 0


def test_train_beside_val(tmp_path: Path) -> None:
    _save(tmp_path / "train" / "x" / "a.png", (1, 2, 3))
    _save(tmp_path / "val" / "b.png", (9, 9, 9))
    data = _open(tmp_path)
    assert data.train is not None
    assert data.test is not None
    assert (list(data.train.names), list(data.test.names)) == (["x/a.png"], ["b.png"])


def test_bad_files_are_an_error_or_are_named(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", (1, 2, 3))
    (tmp_path / "broken.jpg").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match=r"broken\.jpg is not an image \(--skip-bad"):
        _open(tmp_path)
    notes: list[str] = []
    data = _open(tmp_path, skip_bad=True, note=notes.append)
    assert [Path(line.split()[0]).name for line in data.skipped] == ["broken.jpg", "notes.txt"]
    assert "left out 2" in notes[0]


def test_more_pixels_than_memory_is_meant_to_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        _save(tmp_path / f"{number}.png", (number, 0, 0))
    monkeypatch.setattr(memory, "MOST_BYTES", 2 * 16 * 12 * 3)
    with pytest.raises(UserError, match=r"GiB at 12x16 pixels; choose a smaller --img-size$"):
        _open(tmp_path)
    monkeypatch.setattr(memory, "MOST_BYTES", 3 * 16 * 12 * 3)
    assert len(_open(tmp_path).test) == 3


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no image that can be read"):
        _open(tmp_path)
    with pytest.raises(UserError, match="not a folder"):
        _open(tmp_path / "absent")


def test_identity_follows_the_files(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", (1, 2, 3))
    options = plain_folder.PlainFolderOptions()
    before = plain_folder.COMPONENT.identity(DataContext(data_dir=tmp_path), options)
    assert plain_folder.COMPONENT.identity(DataContext(data_dir=tmp_path), options) == before
    _save(tmp_path / "b.png", (1, 2, 3))
    assert plain_folder.COMPONENT.identity(DataContext(data_dir=tmp_path), options) != before


def test_photographs_begin_with_the_cat() -> None:
    from skimage.data import chelsea

    options = photographs.PhotographOptions(images=2, crops=12)
    data = photographs.COMPONENT.open(DataContext(img_size=(30, 30)), options)
    assert isinstance(data.test, MemoryImages)
    assert list(data.test.names) == ["cat", "astronaut"]
    centre = chelsea()[:, 75:375]
    cat = np.asarray(Image.fromarray(centre).resize((30, 30), Image.Resampling.BICUBIC))
    assert np.abs(data.test.pixels[0].permute(1, 2, 0).numpy() - cat.astype(float)).mean() < 3
    assert data.train is not None
    assert len(data.train) == 12


def test_grey_photographs() -> None:
    options = photographs.PhotographOptions(images=1, crops=1)
    data = photographs.COMPONENT.open(DataContext(img_size=(20, 25), in_chans=1), options)
    assert isinstance(data.test, MemoryImages)
    assert data.test.pixels.shape == (1, 1, 20, 25)


def test_some_of_the_images_are_evenly_spaced_by_name(tmp_path: Path) -> None:
    for index in range(10):
        _save(tmp_path / f"{index}.png", (index, 0, 0))
    (tmp_path / "README").write_text("no image")

    def opened(images: int | None, **given: Any) -> list[str]:
        options = plain_folder.PlainFolderOptions(images=images)
        data = plain_folder.COMPONENT.open(DataContext(data_dir=tmp_path, **given), options)
        assert isinstance(data.test, MemoryImages)
        values = data.test.pixels[:, 0, 0, 0].tolist()
        assert [f"{value}.png" for value in values] == list(data.test.names)
        return list(data.test.names)

    def identity(images: int | None) -> str:
        options = plain_folder.PlainFolderOptions(images=images)
        return plain_folder.COMPONENT.identity(DataContext(data_dir=tmp_path), options)

    assert opened(3) == ["0.png", "3.png", "6.png"]
    assert opened(5) == ["0.png", "2.png", "4.png", "6.png", "8.png"]
    assert len(opened(10)) == len(opened(99)) == len(opened(None)) == 10
    assert identity(10) == identity(99) == identity(None)
    assert identity(3) == f"{identity(None)} 3 evenly spaced"
    (tmp_path / "3.png").write_text("broken")
    assert opened(3, skip_bad=True) == ["0.png", "1.png", "6.png"]


def test_transparency_is_a_fourth_channel(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (10, 20, 30, 40)).save(tmp_path / "a.png")
    Image.new("RGB", (8, 8), (10, 20, 30)).save(tmp_path / "b.png")
    data = plain_folder.COMPONENT.open(
        DataContext(data_dir=tmp_path, img_size=(8, 8), in_chans=4),
        plain_folder.PlainFolderOptions(),
    )
    assert isinstance(data.test, MemoryImages)
    assert data.in_chans == 4
    assert data.test.pixels[:, :, 0, 0].tolist() == [[10, 20, 30, 40], [10, 20, 30, 255]]
