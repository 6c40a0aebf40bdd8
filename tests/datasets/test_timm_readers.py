"""Datasets by timm's names, on small real files of each format."""

from __future__ import annotations

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
