"""CIFAR, SVHN and Fashion-MNIST from small files in the publishers' formats."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.error import URLError

import numpy as np
import pytest
import scipy.io
import torch
import torchvision.datasets as readers
from PIL import Image
from rbench_plugins.datasets import cifar10, cifar100, fashion_mnist, svhn

from rbench import DataContext, Dataset, ImageData, MemoryImages, UserError

DRAW = np.random.default_rng(0)


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def opened(component: Dataset, folder: Path | None, **context: Any) -> ImageData:
    wanted = DataContext(data_dir=folder, **context)
    return component.open(wanted, cast(Any, component.options()))


def memory(images: object) -> MemoryImages:
    assert isinstance(images, MemoryImages)
    return images


class Published:
    """A tiny version of a published set, with the checksums that torchvision expects of it."""

    def __init__(self, folder: Path, component: Dataset, images: dict[str, Any]) -> None:
        self.folder, self.component, self.images = folder, component, images


@pytest.fixture
def small_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    base = tmp_path / "cifar-10-batches-py"
    base.mkdir()
    images: dict[str, Any] = {"train": [], "train_labels": [], "test": [], "test_labels": []}
    listed: dict[str, list[list[str]]] = {"train": [], "test": []}
    for file, split in [
        *((f"data_batch_{i}", "train") for i in range(1, 6)),
        ("test_batch", "test"),
    ]:
        data = DRAW.integers(0, 256, (4, 3072), dtype=np.uint8)
        labels = DRAW.integers(0, 10, 4).tolist()
        content = {"batch_label": file, "labels": labels, "data": data, "filenames": ["x.png"] * 4}
        (base / file).write_bytes(pickle.dumps(content, protocol=2))
        listed[split].append([file, md5(base / file)])
        images[split].append(data.reshape(4, 3, 32, 32))
        images[f"{split}_labels"] += labels
    names = [f"class{i}" for i in range(10)]
    (base / "batches.meta").write_bytes(pickle.dumps({"label_names": names}, protocol=2))
    meta = {"filename": "batches.meta", "key": "label_names", "md5": md5(base / "batches.meta")}
    monkeypatch.setattr(readers.CIFAR10, "train_list", listed["train"])
    monkeypatch.setattr(readers.CIFAR10, "test_list", listed["test"])
    monkeypatch.setattr(readers.CIFAR10, "meta", meta)
    images["train"], images["test"] = map(np.concatenate, (images["train"], images["test"]))
    return Published(tmp_path, cifar10.COMPONENT, images)


@pytest.fixture
def small_cifar100(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    base = tmp_path / "cifar-100-python"
    base.mkdir()
    images: dict[str, Any] = {}
    for split in ("train", "test"):
        data = DRAW.integers(0, 256, (6, 3072), dtype=np.uint8)
        labels = DRAW.integers(0, 100, 6).tolist()
        content = {"fine_labels": labels, "coarse_labels": [0] * 6, "data": data}
        (base / split).write_bytes(pickle.dumps(content, protocol=2))
        images[split], images[f"{split}_labels"] = data.reshape(6, 3, 32, 32), labels
    names = {"fine_label_names": [f"fine{i}" for i in range(100)]}
    (base / "meta").write_bytes(pickle.dumps(names, protocol=2))
    reader = readers.CIFAR100
    monkeypatch.setattr(reader, "train_list", [["train", md5(base / "train")]])
    monkeypatch.setattr(reader, "test_list", [["test", md5(base / "test")]])
    monkeypatch.setattr(reader, "meta", {**reader.meta, "md5": md5(base / "meta")})
    return Published(tmp_path, cifar100.COMPONENT, images)


@pytest.fixture
def small_svhn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    images: dict[str, Any] = {}
    lists = {}
    for split in ("train", "test"):
        data = DRAW.integers(0, 256, (32, 32, 3, 5), dtype=np.uint8)
        labels = np.array([[10], [1], [9], [10], [4]], dtype=np.uint8)
        file = tmp_path / f"{split}_32x32.mat"
        scipy.io.savemat(file, {"X": data, "y": labels}, do_compression=True)
        lists[split] = ["http://example.invalid", file.name, md5(file)]
        images[split], images[f"{split}_labels"] = data.transpose(3, 2, 0, 1), [0, 1, 9, 0, 4]
    monkeypatch.setattr(readers.SVHN, "split_list", lists)
    return Published(tmp_path, svhn.COMPONENT, images)


@pytest.fixture
def small_fashion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    images: dict[str, Any] = {}
    resources = []
    for split, prefix in (("train", "train"), ("test", "t10k")):
        data = DRAW.integers(0, 256, (7, 28, 28), dtype=np.uint8)
        labels = DRAW.integers(0, 10, 7, dtype=np.uint8)
        for kind, header, content in [
            ("images-idx3", struct.pack(">IIII", 0x803, 7, 28, 28), data.tobytes()),
            ("labels-idx1", struct.pack(">II", 0x801, 7), labels.tobytes()),
        ]:
            file = tmp_path / f"{prefix}-{kind}-ubyte.gz"
            file.write_bytes(gzip.compress(header + content))
            resources.append((file.name, md5(file)))
        images[split], images[f"{split}_labels"] = data[:, None], labels.tolist()
    monkeypatch.setattr(readers.FashionMNIST, "resources", resources)
    return Published(tmp_path, fashion_mnist.COMPONENT, images)


SETS = ["small_cifar10", "small_cifar100", "small_svhn", "small_fashion"]


@pytest.fixture(params=SETS)
def published(request: pytest.FixtureRequest) -> Published:
    return cast(Published, request.getfixturevalue(request.param))


def test_pixels_and_labels_are_the_files(published: Published) -> None:
    size = None if published.component.name != "fashion_mnist" else (28, 28)
    data = opened(published.component, published.folder, img_size=size)
    for split in ("train", "test"):
        images = memory(getattr(data, split))
        assert images.labels is not None
        assert (images.pixels.numpy() == published.images[split]).all()
        assert images.labels.tolist() == published.images[f"{split}_labels"]
        assert images.pixels.is_contiguous()
    assert data.in_chans == published.images["train"].shape[1]


def test_a_changed_byte_is_refused_and_named(published: Published) -> None:
    victim = max(published.folder.rglob("*"), key=lambda path: path.is_file() * path.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(bytes(content))
    with pytest.raises(UserError, match=rf"{victim.name} .*MD5.*published") as error:
        opened(published.component, published.folder)
    assert "\n" not in str(error.value)


def test_a_truncated_file_is_refused(published: Published) -> None:
    victim = max(published.folder.rglob("*"), key=lambda path: path.is_file() * path.stat().st_size)
    victim.write_bytes(victim.read_bytes()[:100])
    with pytest.raises(UserError, match=rf"{victim.name} \(100 bytes\) is truncated or not"):
        opened(published.component, published.folder)


def test_an_empty_folder_and_no_folder(published: Published, tmp_path: Path) -> None:
    component = published.component
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match=r"is missing; is --data-dir right\?.*--download"):
        opened(component, empty)
    with pytest.raises(UserError, match=f"the dataset {component.name} needs --data-dir"):
        opened(component, None)
    with pytest.raises(UserError, match="nowhere does not exist"):
        opened(component, tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is not a folder"):
        opened(component, tmp_path / "file")


def test_revision_follows_the_published_sums(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(published.component, published.folder).revision
    assert opened(published.component, published.folder, in_chans=1).revision == first
    assert first.split(":")[0] in ("md5", "sha256")


def test_batches_folder_itself_will_do(small_cifar10: Published) -> None:
    inside = small_cifar10.folder / "cifar-10-batches-py"
    assert len(memory(opened(cifar10.COMPONENT, inside).train)) == 20


def test_p2s_normalisation_and_augmentation(
    small_cifar10: Published, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    data = opened(cifar10.COMPONENT, small_cifar10.folder)
    assert data.mean == (0.4914, 0.4822, 0.4465)
    assert data.std == (0.2470, 0.2435, 0.2616)
    assert (data.hflip, data.crop_pad) == (0.5, 4)
    assert data.class_names == [f"class{i}" for i in range(10)]
    house = opened(svhn.COMPONENT, request.getfixturevalue("small_svhn").folder)
    assert (house.mean, house.hflip, house.crop_pad) == ((0.4377, 0.4438, 0.4728), 0, 0)


def test_cifar100_is_normalised_by_its_own_training_images(small_cifar100: Published) -> None:
    data = opened(cifar100.COMPONENT, small_cifar100.folder)
    train = torch.from_numpy(small_cifar100.images["train"]).double() / 255
    assert data.mean == pytest.approx(train.mean((0, 2, 3)).tolist())
    assert data.num_classes == 100


def test_fashion_is_resized_to_32_unless_told_otherwise(small_fashion: Published) -> None:
    component, folder = small_fashion.component, small_fashion.folder
    assert opened(component, folder).img_size == (32, 32)
    assert opened(component, folder, img_size=(16, 16)).img_size == (16, 16)
    options = component.options.model_validate({"resize": None})
    assert component.open(DataContext(data_dir=folder), cast(Any, options)).img_size == (28, 28)


def test_fashion_is_resized_by_torchvisions_default(small_fashion: Published) -> None:
    """P2's public code resizes PIL images by torchvision's Resize, which is bilinear."""
    from torchvision.transforms import Resize

    large = memory(opened(small_fashion.component, small_fashion.folder).train).pixels
    small = small_fashion.images["train"]
    expected = np.asarray(Resize(32)(Image.fromarray(small[2, 0])))
    assert (large[2, 0].numpy() == expected).all()


def test_fashion_in_torchvisions_unpacked_folder(small_fashion: Published) -> None:
    def identity() -> str | None:
        context = DataContext(data_dir=small_fashion.folder)
        return fashion_mnist.COMPONENT.identity(context, fashion_mnist.FashionOptions())

    assert identity() is None  # the publisher's files, which are checked
    reference = opened(small_fashion.component, small_fashion.folder)
    raw = small_fashion.folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in small_fashion.folder.glob("*.gz"):
        (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    again = opened(small_fashion.component, small_fashion.folder)
    assert again.revision == reference.revision == identity()
    assert torch.equal(memory(again.train).pixels, memory(reference.train).pixels)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda content: content[:50], "is truncated or too long: 50 bytes, not 5504"),
        (lambda content: content + b"x", "is truncated or too long"),
        (lambda content: content[:9], "is truncated in its header"),
        (lambda content: b"", "is not an IDX file"),
        (lambda content: b"\x89PNG" + content, "is not an IDX file"),
        (lambda content: content[:4] + b"\xff" * 12 + content[16:], "is truncated or too long"),
    ],
)
def test_broken_idx_files(
    change: Callable[[bytes], bytes], complaint: str, small_fashion: Published
) -> None:
    for path in small_fashion.folder.glob("*.gz"):
        content = gzip.decompress(path.read_bytes())
        path.unlink()
        path.with_suffix("").write_bytes(
            change(content) if "train-images" in path.name else content
        )
    with pytest.raises(UserError, match=complaint):
        opened(small_fashion.component, small_fashion.folder)


def test_download_only_when_asked_and_failure_is_one_line(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def no_network(request: Any, *args: object, **kwargs: object) -> None:
        asked.append(request.full_url)
        raise URLError("no network\nat all")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    (tmp_path / "new").mkdir()
    with pytest.raises(UserError, match="missing"):
        opened(published.component, tmp_path / "new")
    assert not asked
    with pytest.raises(UserError, match="could not be downloaded: ") as error:
        opened(published.component, tmp_path / "newer", download=True)
    assert asked
    assert "\n" not in str(error.value)
