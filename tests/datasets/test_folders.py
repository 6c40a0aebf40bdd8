"""image_folder and imagenet on small folders of real photos."""

from __future__ import annotations

import hashlib
import itertools
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from rbench_plugins.datasets import contents, folders, image_folder, imagenet
from rbench_plugins.datasets.identity.image_folder import identity as identity_of_folder
from rbench_plugins.datasets.identity.imagenet import identity as identity_of_imagenet
from skimage.data import astronaut, coffee

import rbench
from rbench import DataContext, Dataset, FileImages, ImageData, MemoryImages, UserError
from rbench.report.leaderboard.reader import read_rows
from rbench.report.leaderboard.tables import make_tables
from rbench.spec import registry


def write(path: Path, source: np.ndarray, corner: int, size: tuple[int, int] = (12, 16)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    crop = source[corner : corner + size[0], corner : corner + size[1]]
    Image.fromarray(crop).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Classes ``ant`` and ``bee``, 3 + 2 training and 1 + 1 test images, 12 x 16 pixels."""
    for split, counts in (("train", (3, 2)), ("test", (1, 1))):
        for name, source, count in zip(
            ("ant", "bee"), (astronaut(), coffee()), counts, strict=True
        ):
            for index in range(count):
                corner = 20 * index + (100 if split == "test" else 0)
                write(tmp_path / split / name / f"{index}.png", source, corner)
    return tmp_path


def opened(
    root: Path | None, component: Dataset = image_folder.COMPONENT, **given: Any
) -> ImageData:
    context = {"data_dir": root}
    for key in (
        "img_size",
        "in_chans",
        "skip_bad",
        "note",
        "download",
        "labels",
        "limit",
        "limit_test",
    ):
        if key in given:
            context[key] = given.pop(key)
    return component.open(
        DataContext(**context),  # type: ignore[arg-type]
        cast(Any, component.options(**given)),
    )


def memory(images: object) -> MemoryImages:
    assert isinstance(images, MemoryImages)
    return images


def files(images: object) -> FileImages:
    assert isinstance(images, FileImages)
    return images


def test_pixels_labels_names_and_moments(root: Path) -> None:
    data = opened(root)
    train = memory(data.train)
    assert data.class_names == ["ant", "bee"]
    assert train.labels is not None
    assert train.labels.tolist() == [0, 0, 0, 1, 1]
    assert list(train.names) == [
        f"train/{n}.png" for n in ("ant/0", "ant/1", "ant/2", "bee/0", "bee/1")
    ]
    expected = np.asarray(Image.open(root / "train" / "ant" / "1.png"))
    assert (train.pixels[1].permute(1, 2, 0).numpy() == expected).all()
    assert (data.img_size, data.in_chans, len(memory(data.test))) == ((12, 16), 3, 2)
    values = train.pixels.double() / 255
    assert data.mean == pytest.approx(values.mean((0, 2, 3)).tolist())
    assert data.std == pytest.approx(values.std((0, 2, 3), correction=0).tolist())
    assert (data.hflip, data.crop_pad) == (0.5, 1)


def test_val_and_nested_and_foreign_files(root: Path) -> None:
    reference = opened(root)
    (root / "test").rename(root / "val")
    nested = root / "train" / "ant" / "images"
    nested.mkdir()
    (root / "train" / "ant" / "2.png").rename(nested / "2.png")
    for stranger in ("labels.txt", ".hidden.png", "Thumbs.db"):
        (root / "train" / "ant" / stranger).write_text("no image")
    (root / "train" / ".cache").mkdir()
    again = opened(root)
    assert torch.equal(memory(again.train).pixels, memory(reference.train).pixels)
    assert again.class_names == ["ant", "bee"]


def test_unlabelled_test_folder_gives_way_to_val(root: Path) -> None:
    shutil.copytree(root / "test", root / "val")
    shutil.rmtree(root / "test")
    write(root / "test" / "unlabelled.png", coffee(), 0)
    assert list(memory(opened(root).test).names) == ["val/ant/0.png", "val/bee/0.png"]


def test_resized_and_grey(root: Path) -> None:
    data = opened(root, img_size=(6, 8), in_chans=1)
    image = Image.open(root / "train" / "bee" / "0.png").convert("L")
    expected = np.asarray(image.resize((8, 6), Image.Resampling.BICUBIC, reducing_gap=3.0))
    assert (memory(data.train).pixels[3, 0].numpy() == expected).all()
    assert (data.in_chans, len(data.mean)) == (1, 1)


def test_revision_names_the_bytes_that_are_used(root: Path) -> None:
    first = opened(root)
    assert first.revision == opened(root, img_size=(6, 8)).revision
    (root / "train" / "ant" / "notes.txt").write_text("changes nothing")
    assert opened(root).revision == first.revision
    (root / "test" / "bee" / "0.png").rename(root / "test" / "bee" / "9.png")
    renamed = opened(root).revision
    write(root / "test" / "bee" / "9.png", coffee(), 101)
    assert len({first.revision, renamed, opened(root).revision}) == 3
    assert first.revision.startswith("sha256:")


def test_identity_sees_files_come_and_grow(root: Path) -> None:
    def identity() -> str:
        return identity_of_folder(DataContext(data_dir=root), image_folder.FolderOptions())

    first = identity()
    assert identity() == first
    write(root / "train" / "ant" / "7.png", astronaut(), 9)
    more = identity()
    with (root / "train" / "ant" / "7.png").open("ab") as file:
        file.write(b"\0")
    assert len({first, more, identity()}) == 3


def test_identity_is_of_contents_and_equals_the_revision(root: Path) -> None:
    def identity() -> str:
        return identity_of_folder(DataContext(data_dir=root), image_folder.FolderOptions())

    first = identity()
    assert first == opened(root).revision
    # Same name, size and modification time, one pixel changed in an uncompressed image.
    path = root / "train" / "bee" / "1.png"
    for value in (0, 255):
        Image.new("L", (16, 12), value).save(path, "BMP")
        os.utime(path, (1e9, 1e9))
        assert identity() == opened(root).revision
    black_or_white = identity()
    Image.new("L", (16, 12), 0).save(path, "BMP")
    os.utime(path, (1e9, 1e9))
    assert len({first, black_or_white, identity()}) == 3


def test_another_folder_with_the_same_names_and_sizes_is_trained_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        for split, index in itertools.product(("train", "test"), range(4)):
            path = tmp_path / name / split / "xy"[index % 2] / f"{index}.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    ran = []
    for name in ("a", "b", "a"):
        (record,) = rbench.run(
            model="test_resnet",
            dataset="image_folder",
            data_dir=str(tmp_path / name),
            task_kwargs={"train": False},
            metrics=["top1"],
            output=str(tmp_path / "records"),
        )
        assert record.data is not None
        ran.append((record.digest, record.data.revision, record.protocol, record.started))
    assert ran[0] == ran[2]
    assert all(one != other for one, other in zip(ran[0][:3], ran[1][:3], strict=True))


def test_verify_says_that_the_data_is_another(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from typer.testing import CliRunner

    from rbench.cli.app import app

    output = tmp_path_factory.mktemp("records")
    rbench.run(
        model="test_resnet",
        dataset="image_folder",
        data_dir=str(root),
        task_kwargs={"train": False},
        metrics=["top1"],
        output=str(output),
    )
    (path,) = output.glob("*.json")
    words = ["verify", str(path), "--data-dir", str(root)]
    assert CliRunner().invoke(app, words).exit_code == 0
    write(root / "test" / "bee" / "0.png", coffee(), 7)
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 1
    assert "the data differs: recorded image_folder sha256:" in again.stderr


def test_records_of_known_contents_keep_the_digests_that_they_had(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same digest as when a folder was known by names and sizes, if its contents are known."""
    table = {"contents": [opened(root).revision], "recorded_as": {"image_folder": "names+sizes:1"}}
    monkeypatch.setattr(registry, "names", lambda folder: ["insects"])
    monkeypatch.setattr(registry, "read", lambda folder, name: table)
    registry._recorded.cache_clear()
    try:
        assert registry.recorded_content("image_folder", opened(root).revision) == "names+sizes:1"
        assert registry.recorded_content("other", opened(root).revision) == opened(root).revision
        write(root / "test" / "bee" / "0.png", coffee(), 7)
        changed = opened(root).revision
        assert registry.recorded_content("image_folder", changed) == changed
    finally:
        registry._recorded.cache_clear()


def test_a_folder_of_known_contents_has_its_name_in_records_and_tables(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = identity_of_folder(DataContext(data_dir=root), image_folder.FolderOptions())
    known = {content: "insects", opened(root).revision: "insects"}
    run: dict[str, Any] = {
        "model": "test_resnet",
        "dataset": "image_folder",
        "data_dir": str(root),
        "task_kwargs": {"train": False},
        "metrics": ["top1"],
    }
    (before,) = rbench.run(**run, output=str(tmp_path / "records"))
    assert " · image_folder" in before.protocol_name
    for module in ("spec.registry", "report.leaderboard.reader", "runner.load_data"):
        monkeypatch.setattr(f"rbench.{module}.known_data", lambda: known)
    (after,) = rbench.run(**run, seed=1, output=str(tmp_path / "records"))
    assert after.data is not None
    assert after.data.name == "insects"
    assert " · insects" in after.protocol_name
    # A record from before the folder had a name stands in the same table.
    (table,) = make_tables(read_rows(tmp_path / "records"))
    assert table.name == after.protocol_name


def test_large_files_are_decoded_by_threads_to_the_same_pixels(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = opened(root)
    monkeypatch.setattr(folders, "LARGE_FILE", 1)
    again = opened(root)
    assert torch.equal(memory(again.train).pixels, memory(reference.train).pixels)
    assert again.revision == reference.revision


def test_streamed_where_asked_or_too_large(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    train = files(opened(root, stream=True, note=notes.append).train)
    assert notes == ["image_folder is streamed at 224 pixels; --img-size chooses another size"]
    assert train.targets == [0, 0, 0, 1, 1]
    monkeypatch.setattr(contents, "MOST_IN_MEMORY", 3 * 12 * 16 * 7)
    data = opened(root, img_size=(12, 16))
    assert data.revision == opened(root, stream=False).revision
    assert isinstance(data.train, FileImages)
    monkeypatch.setattr(contents, "MOST_IN_MEMORY", 3 * 12 * 16 * 7 + 1)
    assert isinstance(opened(root).train, MemoryImages)


def test_streamed_images_are_evaluated_as_timm_does(root: Path) -> None:
    from timm.data import create_transform

    data = opened(root, stream=True, img_size=(8, 8), crop_pct=0.8)
    images = files(data.test)
    assert images.workers > 0
    images.workers = 0
    (batch,) = images.batches(4, torch.device("cpu"))
    transform = create_transform((3, 8, 8), crop_pct=0.8, interpolation="bicubic", mean=0, std=1)
    expected = transform(Image.open(root / "test" / "bee" / "0.png").convert("RGB"))
    assert torch.equal(batch.images[1], expected)
    assert batch.labels is not None
    assert batch.labels.tolist() == [0, 1]
    assert (data.mean, data.img_size) == ((0.485, 0.456, 0.406), (8, 8))


def test_streamed_images_can_go_to_worker_processes(root: Path) -> None:
    images = files(opened(root, stream=True, img_size=(8, 8), in_chans=1).train)
    copy = pickle.loads(pickle.dumps(images))
    image, label = copy[4]
    assert (image.shape, label) == ((1, 8, 8), 1)
    assert torch.equal(image, images[4][0])


def test_global_random_state_stays(root: Path) -> None:
    before, numpy = torch.get_rng_state(), np.random.get_state()[1].copy()
    opened(root)
    opened(root, stream=True, img_size=(8, 8))
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpy).all()


def _one_more_class(root: Path) -> None:
    write(root / "train" / "cow" / "0.png", coffee(), 0)


def _no_train(root: Path) -> None:
    (root / "train").rename(root / "training")


def _no_test(root: Path) -> None:
    shutil.rmtree(root / "test")


def _empty_class(root: Path) -> None:
    (root / "test" / "ant" / "0.png").unlink()


def _empty_train(root: Path) -> None:
    shutil.rmtree(root / "train")
    (root / "train").mkdir()


def _flat_test(root: Path) -> None:
    shutil.rmtree(root / "test")
    write(root / "test" / "0.png", coffee(), 0)


def _other_size(root: Path) -> None:
    write(root / "train" / "bee" / "1.png", coffee(), 0, (9, 7))


def _truncated(root: Path) -> None:
    path = root / "train" / "bee" / "1.png"
    path.write_bytes(path.read_bytes()[:200])


def _text(root: Path) -> None:
    (root / "test" / "ant" / "0.png").write_text("no image at all")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_one_more_class, r"train/ has 3 classes and test/ has 2: only train/ has cow$"),
        (_no_train, r"has no folder train/ \(there is test, training\)$"),
        (_no_test, r"has no folder test/ or val/ or valid/ or validation/ beside train/$"),
        (_empty_class, r"the class folder .*test/ant holds no image$"),
        (_empty_train, r"train is empty; expected train/<class>/<image>$"),
        (_flat_test, r"test has no class folders; expected test/<class>/<image>$"),
        (_other_size, r"different sizes: .*bee/1.png is 7x9, those before it are 16x12; .*--img-s"),
        (_truncated, r"bee/1.png.* \(--skip-bad goes on without it\)$"),
        (_text, r"ant/0.png is not an image \(--skip-bad"),
    ],
)
def test_bad_input_is_one_clear_line(
    root: Path, spoil: Callable[[Path], None], complaint: str
) -> None:
    spoil(root)
    with pytest.raises(UserError, match=complaint) as error:
        opened(root)
    assert "\n" not in str(error.value)


def test_empty_and_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no folder train/ \(there is nothing\)"):
        opened(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        opened(tmp_path / "missing")
    with pytest.raises(UserError, match="the dataset image_folder needs --data-dir"):
        opened(None)


def test_skip_bad_goes_on_and_says_so(root: Path) -> None:
    _truncated(root)
    notes: list[str] = []
    data = opened(root, skip_bad=True, note=notes.append)
    assert len(memory(data.train)) == 4
    assert list(memory(data.train).names)[-1] == "train/bee/0.png"
    assert len(data.skipped) == 1
    assert "bee/1.png" in data.skipped[0]
    assert notes[0].startswith("1 images cannot be read and were left out")


def test_nothing_but_bad_images(root: Path) -> None:
    for path in (root / "test").rglob("*.png"):
        path.write_text("no image")
    with pytest.raises(UserError, match="test has no image that can be read"):
        opened(root, skip_bad=True)


def test_other_sizes_are_cropped_and_resized_to_img_size(root: Path) -> None:
    _other_size(root)
    assert memory(opened(root, img_size=(8, 8)).train).pixels.shape == (5, 3, 8, 8)


def test_a_plain_folder_where_the_task_needs_no_labels(tmp_path: Path) -> None:
    for index, name in enumerate(["b.png", "a.png", "more/c.png"]):
        write(tmp_path / name, coffee(), 40 * index)
    (tmp_path / "README.txt").write_text("no image")
    data = opened(tmp_path, labels=False)
    test = memory(data.test)
    assert data.train is None
    assert test.labels is None
    assert data.num_classes == 0
    assert list(test.names) == ["a.png", "b.png", "more/c.png"]
    expected = np.asarray(Image.open(tmp_path / "a.png"))
    assert (test.pixels[0].permute(1, 2, 0).numpy() == expected).all()
    context = DataContext(data_dir=tmp_path, labels=False)
    assert identity_of_folder(context, image_folder.FolderOptions()) == data.revision
    with pytest.raises(UserError, match="has no folder train/"):
        opened(tmp_path)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UserError, match="nothing holds no image"):
        opened(tmp_path / "nothing", labels=False)


def test_labelled_splits_serve_a_task_without_labels_too(root: Path) -> None:
    assert opened(root, labels=False).revision == opened(root).revision


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("imagenet")
    write(root / "photo.jpeg", coffee(), 0, (40, 60))
    for split in ("train", "val"):
        for index in range(1000):
            folder = root / split / f"n{index:08d}"
            folder.mkdir(parents=True)
            (folder / "x.JPEG").hardlink_to(root / "photo.jpeg")
    return root


def test_imagenet_is_streamed_in_the_order_of_its_wnids(thousand: Path) -> None:
    data = opened(thousand, imagenet.COMPONENT)
    assert (data.num_classes, data.img_size, data.in_chans) == (1000, (224, 224), 3)
    assert data.class_names[3] == "n00000003"
    test = files(data.test)
    image, label = test[999]
    assert (image.shape, label) == ((3, 224, 224), 999)
    assert 0 <= image.min() <= image.max() <= 1
    assert data.mean == (0.485, 0.456, 0.406)


def test_imagenet_is_identified_by_sizes_and_a_sample_of_contents(thousand: Path) -> None:
    def identity() -> str:
        return identity_of_imagenet(DataContext(data_dir=thousand), imagenet.ImageNetOptions())

    first = identity()
    assert first.startswith("sample:")
    assert first == opened(thousand, imagenet.COMPONENT).revision
    photo = (thousand / "photo.jpeg").read_bytes()
    path = thousand / "val" / "n00000500" / "x.JPEG"
    for content in (photo[:-1] + b"\0", photo + b"\0"):
        path.unlink()
        path.write_bytes(content)
        assert identity() != first
    path.unlink()
    path.hardlink_to(thousand / "photo.jpeg")
    assert identity() == first


def test_imagenet_wants_a_thousand_classes_and_no_download(root: Path, thousand: Path) -> None:
    (root / "test").rename(root / "val")
    with pytest.raises(UserError, match=r"has 2 classes, ImageNet has 1000; .*image_folder"):
        opened(root, imagenet.COMPONENT)
    with pytest.raises(UserError, match="cannot be downloaded"):
        opened(thousand, imagenet.COMPONENT, download=True)


def _classes(folder: Path, *names: str) -> Path:
    for split in ("train", "test"):
        for index, name in enumerate(names):
            write(folder / split / name / "0.png", coffee(), 20 * index)
    return folder


def test_classes_are_in_timms_order(tmp_path: Path) -> None:
    from timm.data.readers.reader_image_folder import find_images_and_targets

    names = ["0", "1", "10", "11", "2", "Zebra", "ant", "Bee", "n2", "n10", "b03", "b1"]
    data = opened(_classes(tmp_path, *names))
    _, theirs = find_images_and_targets(str(tmp_path / "train"))
    assert data.class_names == sorted(theirs, key=theirs.__getitem__)
    assert data.class_names[:5] == ["0", "1", "2", "10", "11"]
    train = memory(data.train)
    assert train.labels is not None
    for name, label in zip(train.names, train.labels.tolist(), strict=True):
        assert theirs[name.split("/")[1]] == label


def test_only_sets_whose_order_of_classes_changed_have_another_revision(tmp_path: Path) -> None:
    def in_string_order(root: Path) -> str:
        """The revision of earlier versions."""
        lines = [
            f"{path.relative_to(root).as_posix()}\0".encode()
            + hashlib.sha256(path.read_bytes()).digest()
            for split in ("train", "test")
            for path in sorted((root / split).rglob("*.png"))
        ]
        return "sha256:" + hashlib.sha256(b"\n".join(lines)).hexdigest()[:32]

    same = _classes(tmp_path / "same", "ant", "bee", "cow")
    other = _classes(tmp_path / "other", "1", "2", "10")
    assert opened(same).revision == in_string_order(same)
    assert opened(other).revision != in_string_order(other)


def test_names_that_unicode_takes_for_equal(tmp_path: Path) -> None:
    composed, parts = "caf\u00e9", "cafe\u0301"
    root = _classes(tmp_path, composed, "tea")
    (root / "test" / composed).rename(root / "test" / parts)
    assert opened(root).class_names == [composed, "tea"]
    write(root / "train" / parts / "0.png", coffee(), 0)
    with pytest.raises(UserError, match=r"train has two class folders named café, which differ o"):
        opened(root)


def test_one_class_is_no_classification(tmp_path: Path) -> None:
    root = _classes(tmp_path, "ant")
    with pytest.raises(UserError, match="has one class only, ant: there is nothing to tell apart"):
        opened(root)
    assert opened(root, labels=False).class_names == ["ant"]


def test_thumbnails_of_network_storage_are_no_class_and_no_images(root: Path) -> None:
    before = opened(root)
    write(root / "train" / "@eaDir" / "0.png", coffee(), 3)
    write(root / "train" / "ant" / "@eaDir" / "0.png" / "thumb.png", coffee(), 3)
    assert opened(root).revision == before.revision
    shutil.copy(root / "train" / "ant" / "0.png", root / "train" / "ant" / "9.JFIF")
    assert len(memory(opened(root).train)) == len(memory(before.train)) + 1


def test_links(root: Path) -> None:
    (root / "train" / "cow").symlink_to(root / "nowhere")
    with pytest.raises(UserError, match=r"class folder .*train/cow is a link to a folder that doe"):
        opened(root)
    (root / "train" / "cow").unlink()
    (root / "train" / "ant" / "again").symlink_to(root / "train" / "ant")
    with pytest.raises(UserError, match=r"ant/again is a link to a folder that contains it$"):
        opened(root)
    (root / "train" / "ant" / "again").unlink()
    (root / "train" / "ant" / "self").symlink_to(root / "train" / "ant" / "self")
    (root / "train" / "ant" / "9.png").symlink_to(root / "nowhere.png")
    with pytest.raises(UserError, match=r"cannot read .*ant/9.png: No such file or directory$"):
        opened(root)
    data = opened(root, skip_bad=True)
    assert len(memory(data.train)) == 5
    assert "ant/9.png: No such file" in data.skipped[0]
    (root / "train" / "ant" / "9.png").unlink()
    (root / "train" / "ant" / "9.png").symlink_to(root / "train" / "ant" / "0.png")
    assert len(memory(opened(root).train)) == 6


def test_file_names_that_are_not_utf8(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    source = os.fsencode(root / "train" / "ant" / "0.png")
    os.rename(source, os.path.dirname(source) + b"/\xe9.png")
    os.rename(os.fsencode(root / "train" / "bee"), os.fsencode(root / "train") + b"/b\xe9")
    os.rename(os.fsencode(root / "test" / "bee"), os.fsencode(root / "test") + b"/b\xe9")
    data = opened(root)
    assert data.class_names == ["ant", r"b\xe9"]
    assert r"train/ant/\xe9.png" in memory(data.train).names
    for stream in (False, True):
        (record,) = rbench.run(
            model="test_resnet",
            dataset="image_folder",
            data_dir=str(root),
            img_size=16,
            dataset_kwargs={"stream": stream},
            task_kwargs={"train": False},
            metrics=["top1"],
            workers=0,
            output=str(tmp_path_factory.mktemp("records")),
        )
        assert record.data is not None
        assert record.data.class_names == ["ant", r"b\xe9"]


def test_transparency_in_four_channels(root: Path) -> None:
    path = root / "train" / "ant" / "0.png"
    Image.new("RGBA", (16, 12), (90, 150, 210, 200)).save(path)
    data = opened(root, in_chans=4)
    assert memory(data.train).pixels[0, :, 0, 0].tolist() == [90, 150, 210, 200]
    assert memory(data.train).pixels[1, 3].unique().tolist() == [255]
    assert (data.in_chans, len(data.mean)) == (4, 4)
    streamed = files(opened(root, in_chans=4, stream=True, img_size=(12, 12)).train)
    assert streamed[0][0].shape == (4, 12, 12)
    pixel = (streamed[0][0][:, 0, 0] * 255).tolist()
    assert pixel == pytest.approx([90, 150, 210, 200], abs=1.01)
    with pytest.raises(UserError, match="--in-chans 2: image files are read as 1"):
        opened(root, in_chans=2)


@pytest.mark.parametrize("check", [True, False])
def test_broken_streamed_images_are_found_before_training(root: Path, check: bool) -> None:
    _truncated(root)

    def stream(**given: Any) -> ImageData:
        return opened(root, stream=True, check=check, img_size=(12, 12), **given)

    if not check:
        assert len(files(stream().train)) == 5
        return
    with pytest.raises(UserError, match=r"bee/1.png.* \(--skip-bad goes on without it\)$"):
        stream()
    notes: list[str] = []
    data = stream(skip_bad=True, note=notes.append)
    assert files(data.train).targets == [0, 0, 0, 1]
    assert [name for name in files(data.train).names if "bee" in name] == ["train/bee/0.png"]
    assert len(data.skipped) == 1
    assert notes[0].startswith("1 images cannot be read and were left out: ")
    whole = opened(root, skip_bad=True, img_size=(12, 12))
    assert (data.revision, data.train_images) == (whole.revision, whole.train_images) != (None, 5)
    for limit in range(1, 5):
        streamed = stream(skip_bad=True, limit=limit)
        loaded = opened(root, skip_bad=True, img_size=(12, 12), limit=limit)
        assert files(streamed.train).names == memory(loaded.train).names
        assert len(memory(loaded.train)) == min(limit, 4)


def test_what_was_checked_is_not_decoded_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rbench_plugins.datasets import decoded

    monkeypatch.setattr(decoded, "WORTH_SECONDS", 0)
    _truncated(root)
    seen: list[str] = []
    original = folders.check_image

    def counted(path: Path) -> None:
        seen.append(path.name)
        original(path)

    monkeypatch.setattr(folders, "check_image", counted)
    first = opened(root, stream=True, skip_bad=True)
    assert len(seen) == 7
    again = opened(root, stream=True, skip_bad=True)
    assert len(seen) == 7
    assert first.skipped == again.skipped != []
    with pytest.raises(UserError, match="--skip-bad goes on"):
        opened(root, stream=True)
