"""Datasets by timm's names, on small real files of each format."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from rbench_plugins.datasets import timm_readers
from rbench_plugins.datasets.identity import timm_readers as identity_of_readers

import rbench
from rbench import DataContext, Dataset, ImageData, MemoryImages, UserError
from rbench.plugin.catalog import Catalog

COUNTS = {"train": 8, "validation": 4}


def noise(index: int, shape: tuple[int, ...] = (10, 10, 3)) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, shape, dtype=np.uint8)


def dataset(name: str) -> Dataset:
    found = timm_readers.member(name)
    assert found is not None
    return found


def opened(name: str, root: Path, options: dict[str, Any] | None = None, **given: Any) -> ImageData:
    component = dataset(name)
    context = DataContext(name=name, data_dir=root, **given)
    data = component.open(context, component.options.model_validate(options or {}))
    assert component.identity is not None
    found = component.identity(context, component.options.model_validate(options or {}))
    assert found is not None
    assert found.startswith(data.revision)
    return data


def pixels(data: ImageData, split: str) -> torch.Tensor:
    images = getattr(data, split)
    assert isinstance(images, MemoryImages)
    return images.pixels


def labels(data: ImageData, split: str) -> list[int]:
    images = getattr(data, split)
    assert isinstance(images, MemoryImages)
    assert images.labels is not None
    return images.labels.tolist()


def tree(root: Path) -> Path:
    for split, count in COUNTS.items():
        for index in range(count):
            folder = root / split / "ab"[index % 2]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise(index)).save(folder / f"{index}.png")
    return root


def test_folder(tmp_path: Path) -> None:
    data = opened("folder", tree(tmp_path))
    assert data.class_names == ["a", "b"]
    assert labels(data, "train") == [0] * 4 + [1] * 4
    assert (pixels(data, "train")[0].permute(1, 2, 0).numpy() == noise(0)).all()
    assert opened("folder", tmp_path, img_size=(6, 6), in_chans=1).img_size == (6, 6)
    limited = opened("folder", tmp_path, limit=3)
    assert (len(pixels(limited, "train")), limited.train_images) == (3, 8)
    before = data.revision
    Image.fromarray(noise(77)).save(tmp_path / "train" / "a" / "0.png")
    assert opened("folder", tmp_path).revision != before
    (tmp_path / "validation" / "b" / "1.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"^folder cannot be read: .*image"):
        opened("folder", tmp_path)


def test_torch_mnist(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 6), ("t10k", 4)):
        images = noise(count, (count, 28, 28))
        (raw / f"{part}-images-idx3-ubyte").write_bytes(
            struct.pack(">IIII", 0x803, count, 28, 28) + images.tobytes()
        )
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">II", 0x801, count) + bytes(range(count))
        )
    data = opened("torch/mnist", tmp_path)
    assert (data.in_chans, data.img_size, data.num_classes) == (1, (28, 28), 10)
    assert (pixels(data, "train")[:, 0].numpy() == noise(6, (6, 28, 28))).all()
    assert labels(data, "test") == [0, 1, 2, 3]
    (tmp_path / "other.txt").write_text("beside it")
    assert opened("torch/mnist", tmp_path).revision == data.revision
    assert opened("torch/mnist", tmp_path, in_chans=3).in_chans == 3


def test_torch_eurosat_is_split_by_class(tmp_path: Path) -> None:
    for name in ("Forest", "River"):
        folder = tmp_path / "eurosat" / "2750" / name
        folder.mkdir(parents=True)
        for index in range(10):
            Image.fromarray(noise(index)).save(folder / f"{name}_{index}.jpg")
    data = opened("torch/eurosat", tmp_path)
    assert (labels(data, "train"), labels(data, "test")) == ([0] * 8 + [1] * 8, [0, 0, 1, 1])


def test_webdataset(tmp_path: Path) -> None:
    pytest.importorskip("webdataset")
    for split, count in COUNTS.items():
        with tarfile.open(tmp_path / f"{split}-0000.tar", "w") as tar:
            for index in range(count):
                image = io.BytesIO()
                Image.fromarray(noise(index)).save(image, "PNG")
                for suffix, content in (
                    ("png", image.getvalue()),
                    ("cls", f"{index % 2}".encode()),
                ):
                    entry = tarfile.TarInfo(f"{index:04d}.{suffix}")
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))
    splits = {
        split: {"name": split, "num_samples": count, "filenames": [f"{split}-0000.tar"]}
        | {"shard_lengths": [count]}
        for split, count in COUNTS.items()
    }
    (tmp_path / "_info.json").write_text(json.dumps({"splits": splits}))
    data = opened("wds/noise", tmp_path)
    assert sorted(labels(data, "train")) == [0] * 4 + [1] * 4
    found = sorted(image.sum().item() for image in pixels(data, "train"))
    assert found == sorted(int(noise(index).sum()) for index in range(8))
    assert len(pixels(opened("wds/noise", tmp_path, limit=3), "train")) == 3


def test_a_broken_sample_of_a_shard_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("webdataset")
    info = {}
    for split in COUNTS:
        with tarfile.open(tmp_path / f"{split}.tar", "w") as tar:
            for name, content in (("0.png", b"no image"), ("0.cls", b"0")):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        info[split] = {"name": split, "num_samples": 1, "filenames": [f"{split}.tar"]}
        info[split]["shard_lengths"] = [1]
    (tmp_path / "_info.json").write_text(json.dumps({"splits": info}))
    with pytest.raises(UserError, match=r"^wds/noise cannot be read: "):
        opened("wds/noise", tmp_path)


def test_hugging_face_files_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    source = tmp_path / "source"
    (source / "data").mkdir(parents=True)
    for split, count in COUNTS.items():
        rows = {
            "image": [Image.fromarray(noise(index)) for index in range(count)],
            "label": [index % 2 for index in range(count)],
        }
        made = datasets.Dataset.from_dict(rows, features=features)
        made.to_parquet(str(source / "data" / f"{split}-00000-of-00001.parquet"))
    cache = tmp_path / "cache"
    cache.mkdir()
    data = opened(f"hfds/{source}", cache)
    assert data.class_names == ["cat", "dog"]
    assert labels(data, "train") == [0, 1] * 4
    assert (pixels(data, "test")[3].permute(1, 2, 0).numpy() == noise(3)).all()
    again = opened(f"hfids/{source}", cache)
    assert sorted(labels(again, "train")) == [0] * 4 + [1] * 4
    assert again.revision == data.revision


def test_a_dataset_of_the_hub_is_its_commit_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From Hugging Face's cache as `hf download` lays it out."""
    datasets = pytest.importorskip("datasets")
    hub = pytest.importorskip("huggingface_hub")
    commit = "0123456789abcdef0123456789abcdef01234567"
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    repository = tmp_path / "hub" / "datasets--user--noise"
    snapshot = repository / "snapshots" / commit / "data"
    for folder in (snapshot, repository / "blobs", repository / "refs"):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    for split, count in COUNTS.items():
        rows = {
            "image": [Image.fromarray(noise(index)) for index in range(count)],
            "label": [index % 2 for index in range(count)],
        }
        blob = repository / "blobs" / split
        datasets.Dataset.from_dict(rows, features=features).to_parquet(str(blob))
        (snapshot / f"{split}-00000-of-00001.parquet").symlink_to(f"../../../blobs/{split}")
    cache = tmp_path / "cache"
    cache.mkdir()
    data = opened("hfds/user/noise", cache)
    assert data.revision == f"hf:{commit}"
    assert data.class_names == ["cat", "dog"]
    assert (pixels(data, "test")[3].permute(1, 2, 0).numpy() == noise(3)).all()
    with pytest.raises(UserError, match=r"^hfds/user/other cannot be read: "):
        opened("hfds/user/other", cache)


def test_tensorflow_datasets(tmp_path: Path) -> None:
    tfds = pytest.importorskip("tensorflow_datasets")
    import tensorflow as tf

    def part(count: int) -> Any:
        images = np.stack([noise(index) for index in range(count)])
        return tf.data.Dataset.from_tensor_slices({"image": images, "label": np.arange(count) % 2})

    tfds.dataset_builders.store_as_tfds_dataset(
        name="noise",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(10, 10, 3)),
                "label": tfds.features.ClassLabel(names=["cat", "dog"]),
            }
        ),
        split_datasets={split: part(count) for split, count in COUNTS.items()},
        data_dir=str(tmp_path),
    )
    data, again = opened("tfds/noise", tmp_path), opened("tfds/noise", tmp_path)
    assert data.class_names == ["cat", "dog"]
    for split, count in (("train", 8), ("test", 4)):
        found = sorted(image.sum().item() for image in pixels(data, split))
        assert found == sorted(int(noise(index).sum()) for index in range(count))
        assert torch.equal(pixels(data, split), pixels(again, split))
        numbers = {int(noise(index).sum()): index % 2 for index in range(count)}
        sums = [int(image.sum()) for image in pixels(data, split)]
        assert labels(data, split) == [numbers[total] for total in sums]
    assert len(pixels(opened("tfds/noise", tmp_path, limit=3), "train")) == 3


def picture(path: Path, index: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((12, 12, 3), 10 * index, np.uint8)).save(path)


def shades(data: ImageData, split: str) -> list[int]:
    """Which picture each image is: JPEG keeps a single color within a grey level or two."""
    return [round(image.double().mean().item() / 10) for image in pixels(data, split)]


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_torch_stl10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns first, labels from 1, as its publishers store it."""
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    made = {}
    for part, count in (("train", 4), ("test", 2), ("unlabeled", 1)):
        made[part] = noise(count, (count, 3, 96, 96))
        (folder / f"{part}_X.bin").write_bytes(made[part].transpose(0, 1, 3, 2).tobytes())
        (folder / f"{part}_y.bin").write_bytes(bytes(range(1, count + 1)))
    (folder / "class_names.txt").write_text("\n".join("abcdefghij"))
    (folder / "fold_indices.txt").write_text("")
    sums = {
        name: [[file, md5(folder / file)] for file, _ in getattr(torchvision.datasets.STL10, name)]
        for name in ("train_list", "test_list")
    }
    for name, files in sums.items():
        monkeypatch.setattr(torchvision.datasets.STL10, name, files)
    data = opened("torch/stl10", tmp_path)
    assert (data.img_size, data.class_names) == ((96, 96), list("abcdefghij"))
    assert (pixels(data, "train").numpy() == made["train"]).all()
    assert (labels(data, "train"), labels(data, "test")) == ([0, 1, 2, 3], [0, 1])


def test_torch_flowers102(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.io import savemat

    folder = tmp_path / "flowers-102"
    for number in range(1, 7):
        picture(folder / "jpg" / f"image_{number:05d}.jpg", number)
    savemat(folder / "setid.mat", {"trnid": [[1, 2, 3]], "valid": [[4]], "tstid": [[5, 6]]})
    savemat(folder / "imagelabels.mat", {"labels": [[7, 102, 1, 2, 7, 50]]})
    files = {
        "label": ("imagelabels.mat", md5(folder / "imagelabels.mat")),
        "setid": ("setid.mat", md5(folder / "setid.mat")),
    }
    monkeypatch.setattr(
        torchvision.datasets.Flowers102,
        "_file_dict",
        {**torchvision.datasets.Flowers102._file_dict, **files},
    )
    data = opened("torch/flowers102", tmp_path)
    assert data.num_classes == 102
    assert (shades(data, "train"), labels(data, "train")) == ([1, 2, 3], [6, 101, 0])
    assert (shades(data, "test"), labels(data, "test")) == ([5, 6], [6, 49])


def test_torch_oxford_iiit_pet(tmp_path: Path) -> None:
    folder = tmp_path / "oxford-iiit-pet"
    (folder / "annotations").mkdir(parents=True)
    names = ["Abyssinian_1", "beagle_1", "Abyssinian_2", "beagle_2"]
    for index, name in enumerate(names):
        picture(folder / "images" / f"{name}.jpg", index)
    for split, chosen in (("trainval", names[:2]), ("test", names[2:])):
        lines = [f"{name} {1 + ('beagle' in name)} 1 1" for name in chosen]
        (folder / "annotations" / f"{split}.txt").write_text("\n".join(lines) + "\n")
    data = opened("torch/oxford_iiit_pet", tmp_path)
    assert data.class_names == ["Abyssinian", "Beagle"]
    assert (shades(data, "train"), labels(data, "train")) == ([0, 1], [0, 1])
    assert (shades(data, "test"), labels(data, "test")) == ([2, 3], [0, 1])


def test_torch_dtd(tmp_path: Path) -> None:
    folder = tmp_path / "dtd" / "dtd"
    (folder / "labels").mkdir(parents=True)
    for index in range(4):
        picture(folder / "images" / ("banded", "woven")[index % 2] / f"{index}.jpg", index)
    (folder / "labels" / "train1.txt").write_text("banded/0.jpg\nwoven/1.jpg\n")
    (folder / "labels" / "test1.txt").write_text("banded/2.jpg\nwoven/3.jpg\n")
    data = opened("torch/dtd", tmp_path)
    assert data.class_names == ["banded", "woven"]
    assert (shades(data, "train"), labels(data, "train")) == ([0, 1], [0, 1])
    assert (shades(data, "test"), labels(data, "test")) == ([2, 3], [0, 1])


def test_a_missing_package_prints_its_install_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_of_readers, "find_spec", lambda name: None)
    for name, install in (("wds/x", "webdataset"), ("tfds/x", "tensorflow tensorflow-datasets")):
        with pytest.raises(
            UserError, match=f"{name} needs another package: pip install {install}$"
        ):
            opened(name, tmp_path)


@pytest.mark.parametrize("name", ["torch/nothing", "torch/", "hfds", "digits", "other/x"])
def test_other_names_are_not_members(name: str) -> None:
    assert timm_readers.member(name) is None


def test_the_command_line_knows_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path / "data")
    catalog = Catalog.from_environment()
    assert {"folder", "torch/stl10"} <= set(catalog.names("dataset"))
    assert catalog.plugin_of("dataset", "wds/anything") == catalog.plugin_of("dataset", "digits")
    with pytest.raises(UserError, match="unknown dataset 'torch/minst'"):
        catalog.dataset("torch/minst")
    run: dict[str, Any] = {
        "model": "test_resnet",
        "dataset": "folder",
        "task_kwargs": {"train": False},
        "metrics": ["top1"],
        "output": str(tmp_path / "records"),
    }
    with pytest.raises(UserError, match="the dataset folder needs --data-dir, or RBENCH_DATA"):
        rbench.run(**run)
    monkeypatch.setenv("RBENCH_DATA", str(tmp_path / "data"))
    (record,) = rbench.run(**run)
    assert record.data is not None
    assert (record.data.name, record.data.class_names) == ("folder", ["a", "b"])
    shutil.move(tmp_path / "data", tmp_path / "moved")
    (again,) = rbench.run(**run, data_dir=str(tmp_path / "moved"))
    assert again.started == record.started
    assert os.environ["RBENCH_DATA"] not in record.model_dump_json()
