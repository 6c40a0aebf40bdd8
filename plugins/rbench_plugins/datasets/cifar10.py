"""CIFAR-10: 60,000 32x32 color images in ten classes (Krizhevsky 2009)."""

from __future__ import annotations

from rbench import Dataset

COMPONENT = Dataset(
    name="cifar10",
    title="CIFAR-10",
    summary="CIFAR-10, the publisher's Python batches (50,000 train, 10,000 test).",
    open="rbench_plugins.datasets.functions.cifar:cifar10",
    recipe="lowres",
)
