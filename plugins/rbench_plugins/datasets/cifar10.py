"""CIFAR-10: 60,000 32x32 color images in ten classes (Krizhevsky 2009)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbench import DataContext, Dataset, NoOptions
from rbench_plugins.datasets.cifar import open_cifar

if TYPE_CHECKING:
    from rbench import ImageData

MOMENTS = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
"""The normalization of P2's public code."""


def open_cifar10(context: DataContext, options: NoOptions) -> ImageData:
    """50,000 training and 10,000 test images from ``cifar-10-batches-py/``."""
    from torchvision.datasets import CIFAR10

    return open_cifar(context, "cifar10", CIFAR10, MOMENTS)


COMPONENT = Dataset(
    name="cifar10",
    title="CIFAR-10",
    summary="CIFAR-10, the publisher's Python batches (50,000 train, 10,000 test).",
    open=open_cifar10,
    recipe="lowres",
)
