"""Datasets by timm's names: everything that timm's readers open, and more of torchvision's.

``folder``, ``torch/NAME``, ``hfds/NAME`` and ``hfids/NAME`` (Hugging Face), ``wds/NAME``
(WebDataset) and ``tfds/NAME`` (TensorFlow Datasets), as ``--dataset`` of timm's ``train.py``. The
images are decoded into memory. They are identified by the contents of the files in ``--data-dir``,
and datasets of the Hugging Face hub by their commit, which is known offline once they are cached:
in ``--data-dir`` by an earlier run, or in Hugging Face's own cache by ``hf download``.
"""

from __future__ import annotations

from pydantic import Field

from rbench import Dataset, DatasetFamily, Options

PACKAGES = {
    "torch": ("torchvision", "torchvision"),
    "hfds": ("datasets", "datasets"),
    "hfids": ("datasets", "datasets"),
    "wds": ("webdataset", "webdataset"),
    "tfds": ("tensorflow_datasets", "tensorflow tensorflow-datasets"),
}
"""By prefix: the module that the reader imports and what installs it."""
TORCHVISION = {
    # Name: class, splits for training and test, folder below --data-dir.
    "mnist": ("MNIST", {"train": True}, {"train": False}, "MNIST"),
    "kmnist": ("KMNIST", {"train": True}, {"train": False}, "KMNIST"),
    "fashion_mnist": ("FashionMNIST", {"train": True}, {"train": False}, "FashionMNIST"),
    "cifar10": ("CIFAR10", {"train": True}, {"train": False}, "cifar-10-batches-py"),
    "cifar100": ("CIFAR100", {"train": True}, {"train": False}, "cifar-100-python"),
    "stl10": ("STL10", {"split": "train"}, {"split": "test"}, "stl10_binary"),
    "flowers102": ("Flowers102", {"split": "train"}, {"split": "test"}, "flowers-102"),
    "oxford_iiit_pet": (
        "OxfordIIITPet",
        {"split": "trainval"},
        {"split": "test"},
        "oxford-iiit-pet",
    ),
    "dtd": ("DTD", {"split": "train"}, {"split": "test"}, "dtd"),
    "eurosat": ("EuroSAT", {}, {}, "eurosat"),
}
EXAMPLES = ("folder", *(f"torch/{name}" for name in TORCHVISION))


class ReaderOptions(Options):
    """How a timm reader splits and reads."""

    train_split: str = Field("train", description="split or shards that are trained on")
    val_split: str = Field("validation", description="split or shards of the test images")
    input_key: str | None = Field(None, description="the image's field; default: the reader's")
    target_key: str | None = Field(None, description="the label's field; default: the reader's")
    hflip: float = Field(0.0, ge=0, le=1, description="flip probability, if the recipe has none")
    crop_pad: int = Field(0, ge=0, description="zero padding in pixels, if the recipe has none")


def member(name: str) -> Dataset | None:
    """The dataset of timm's name ``name``; None if that is not one."""
    prefix, _, rest = name.partition("/")
    if name != "folder" and (prefix not in PACKAGES or not rest):
        return None
    if prefix == "torch" and rest not in TORCHVISION:
        return None
    return Dataset(
        name=name,
        summary=f"{name}, read by {'torchvision' if prefix == 'torch' else 'timm'}.",
        open="rbench_plugins.datasets.functions.timm_readers:open_both",
        options=ReaderOptions,
        identity="rbench_plugins.datasets.identity.timm_readers:identity",
        recipe="lowres",
    )


FAMILY = DatasetFamily(
    name="timm_readers",
    summary="timm's names: folder, torch/mnist, hfds/..., hfids/..., wds/..., tfds/...",
    names=lambda: EXAMPLES,
    member=member,
)
