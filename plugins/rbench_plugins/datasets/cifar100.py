"""CIFAR-100: 60,000 32x32 color images in a hundred classes (Krizhevsky 2009)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbench import DataContext, Dataset, NoOptions
from rbench_plugins.datasets.cifar import open_cifar

if TYPE_CHECKING:
    from rbench import ImageData


def open_cifar100(context: DataContext, options: NoOptions) -> ImageData:
    """50,000 training and 10,000 test images from ``cifar-100-python/``, fine labels."""
    from torchvision.datasets import CIFAR100

    return open_cifar(context, "cifar100", CIFAR100)


COMPONENT = Dataset(
    name="cifar100",
    title="CIFAR-100",
    summary="CIFAR-100, the publisher's Python files (50,000 train, 10,000 test).",
    open=open_cifar100,
    recipe="lowres",
)
